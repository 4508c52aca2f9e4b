// What the options of all calls have in common.
import { checkInteger, checkOptions, expected, isRecord } from "./validation.js";

const DEFAULT_BATCH_SIZE = 32;

/** Names that a call doesn't know are errors for the compiler as well. */
export type Exact<Options, Known> = Options & { readonly [Name in Exclude<keyof Options, keyof Known>]: never };

/** The option of every call. */
export interface SignalOption {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of a call by their names, each read once. Throws ERR_INVALID_ARGUMENT for any other name. */
export function readOptions<Name extends string>(
  value: unknown,
  known: readonly Name[],
): Readonly<Partial<Record<Name, unknown>>> {
  const given = checkOptions(value, "options", known);
  return Object.fromEntries(known.map((name) => [name, given[name]])) as Partial<Record<Name, unknown>>;
}

/** Reads the options of a call that has no others. Throws ERR_INVALID_ARGUMENT. */
export function readSignal(value: unknown): AbortSignal | undefined {
  return checkSignal(readOptions(value, ["signal"]).signal);
}

/** The signal of a call, or undefined. Throws ERR_INVALID_ARGUMENT. */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  throw expected("an AbortSignal", "options.signal", signal);
}

/** How many rows go through the model at once. Throws ERR_INVALID_ARGUMENT. */
export function checkBatchSize(value: unknown): number {
  return value === undefined ? DEFAULT_BATCH_SIZE : checkInteger(value, "options.batchSize", 1);
}

/** Not by `instanceof`: a signal of another realm or of a polyfill is right as well. */
function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    isRecord(value) &&
    typeof value.aborted === "boolean" &&
    typeof value.addEventListener === "function" &&
    typeof value.removeEventListener === "function"
  );
}
