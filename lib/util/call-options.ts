// What the options of all calls have in common.
import { CALL_OPTIONS, type CallControl, readControl } from "./call-control.js";
import { checkInteger, checkOptions } from "./validation.js";

const DEFAULT_BATCH_SIZE = 32;

/** `Options`, with a compile error for every name that `Known` lacks. */
export type Exact<Options, Known> = Options & { readonly [Name in Exclude<keyof Options, keyof Known>]: never };

/** The option that ends a call. */
export interface SignalOption {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The options of every call. */
export interface CallOptions extends SignalOption {
  /**
   * Milliseconds from the call to its end, greater than 0: a call that takes longer is cancelled and rejects with
   * ERR_TIMEOUT. Default: no limit.
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Of the calls that wait, those with a higher priority start first; equal ones in the order in which they came. A call
   * that has started is not interrupted. An integer, which may be negative. Default: 0.
   */
  readonly priority?: number | undefined;
}

/**
 * Reads the properties `known` of an object, and those of `others`, each once; undefined ones are left out. Throws
 * ERR_INVALID_ARGUMENT for an object with any other property, with a message that names the known ones.
 */
export function readProperties<Name extends string, Other extends string = never>(
  value: unknown,
  name: string,
  known: readonly Name[],
  others: readonly Other[] = [],
): Readonly<Partial<Record<Name | Other, unknown>>> {
  const given = checkOptions(value, name, known, others);
  const read: Partial<Record<Name | Other, unknown>> = {};
  for (const properties of [known, others]) {
    for (const property of properties) {
      const propertyValue = given[property];
      if (propertyValue !== undefined) read[property] = propertyValue;
    }
  }
  return read;
}

/** Reads the options of a call, each once; as `readProperties`. Throws ERR_INVALID_ARGUMENT. */
export function readOptions<Name extends string, Other extends string = never>(
  value: unknown,
  known: readonly Name[],
  others?: readonly Other[],
): Readonly<Partial<Record<Name | Other, unknown>>> {
  return readProperties(value, "options", known, others);
}

/** The options of a call that has no others. Throws ERR_INVALID_ARGUMENT. */
export function readCallOptions(value: unknown): CallControl {
  return readControl(readOptions(value, CALL_OPTIONS));
}

/** The number of rows that go through the model at once. Throws ERR_INVALID_ARGUMENT. */
export function checkBatchSize(value: unknown): number {
  return value === undefined ? DEFAULT_BATCH_SIZE : checkInteger(value, "options.batchSize", 1);
}
