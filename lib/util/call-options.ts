// What the options of all calls have in common.
import { checkInteger, checkOptions, expected, isRecord } from "./validation.js";

const DEFAULT_BATCH_SIZE = 32;

/** `Options`, with a compile error for every name that `Known` lacks. */
export type Exact<Options, Known> = Options & { readonly [Name in Exclude<keyof Options, keyof Known>]: never };

/** The option of every call. */
export interface SignalOption {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the properties `known` of an object, and those of `others`, each once. Throws ERR_INVALID_ARGUMENT for an
 * object with any other property, with a message that names the known ones.
 */
export function readProperties<Name extends string, Other extends string = never>(
  value: unknown,
  name: string,
  known: readonly Name[],
  others: readonly Other[] = [],
): Readonly<Partial<Record<Name | Other, unknown>>> {
  const given = checkOptions(value, name, known, others);
  const read = [...known, ...others].map((property) => [property, given[property]] as const);
  return Object.fromEntries(read) as Partial<Record<Name | Other, unknown>>;
}

/** Reads the options of a call, each once; as `readProperties`. Throws ERR_INVALID_ARGUMENT. */
export function readOptions<Name extends string, Other extends string = never>(
  value: unknown,
  known: readonly Name[],
  others?: readonly Other[],
): Readonly<Partial<Record<Name | Other, unknown>>> {
  return readProperties(value, "options", known, others);
}

/** The options of a call whose only option is `signal`. Throws ERR_INVALID_ARGUMENT. */
export function readSignal(value: unknown): AbortSignal | undefined {
  return checkSignal(readOptions(value, ["signal"]).signal);
}

/** The signal of a call, or undefined. Throws ERR_INVALID_ARGUMENT. */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  throw expected("an AbortSignal", "options.signal", signal);
}

/** The number of rows that go through the model at once. Throws ERR_INVALID_ARGUMENT. */
export function checkBatchSize(value: unknown): number {
  return value === undefined ? DEFAULT_BATCH_SIZE : checkInteger(value, "options.batchSize", 1);
}

/** Accepts signals of another realm and of polyfills, as `instanceof` doesn't. */
function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    isRecord(value) &&
    typeof value.aborted === "boolean" &&
    typeof value.addEventListener === "function" &&
    typeof value.removeEventListener === "function"
  );
}
