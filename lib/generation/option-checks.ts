// The checks of the generation options' values. Each copies the value, and throws ERR_INVALID_ARGUMENT or
// ERR_TOKEN_OUT_OF_RANGE with the name that it is given.
import { checkId, readIdList } from "../inputs/ids.js";
import { checkFlag, checkInteger, checkNumber, expected, refused } from "../util/validation.js";
import type { LogitsProcessor } from "./options.js";

/** Checks one value; `name` names it in messages, and ids are less than `vocabSize`. */
export type Check<Value> = (value: unknown, name: string, vocabSize: number) => Value;

/** Ids whose last one gets a bias after the others. */
export interface SequenceBias {
  readonly ids: Int32Array;
  readonly bias: number;
}

/** The generated token from which on, and the factor by which, the end becomes more probable. */
export interface LengthDecay {
  readonly start: number;
  readonly factor: number;
}

const MAX_STOP_STRING_LENGTH = 2 ** 16;
/** `torch.manual_seed` takes signed and unsigned 64-bit integers. */
const MIN_SEED = -(2n ** 63n);
const SEED_COUNT = 2n ** 64n;

export const integerFrom =
  (min: number): Check<number> =>
  (value, name) =>
    checkInteger(value, name, min);

/** A number of tokens of the vocabulary, possibly 0. */
export const tokenCount: Check<number> = (value, name, vocabSize) => checkInteger(value, name, 0, vocabSize);

const numberThat =
  (what: string, isRight: (value: number) => boolean): Check<number> =>
  (value, name) =>
    checkNumber(value, name, what, isRight);

export const anyNumber = numberThat("a number", () => true);
export const positiveNumber = numberThat("a number over 0", (value) => value > 0);
export const probability = numberThat("a number from 0 to 1", (value) => value >= 0 && value <= 1);
export const positiveProbability = numberThat("a number over 0, up to 1,", (value) => value > 0 && value <= 1);
export const cutoff = numberThat("a number from 0 up to but not including 1", (value) => value >= 0 && value < 1);
export const seconds = numberThat("seconds of at least 0", (value) => value >= 0);

export const flag: Check<boolean> = checkFlag;

export const id: Check<number> = checkId;

/** One id, or several. */
export const ids: Check<Int32Array> = (value, name, vocabSize) =>
  typeof value === "object" && value !== null
    ? readIdList(value, name, vocabSize)
    : Int32Array.of(checkId(value, name, vocabSize));

/** One id, several, or none. */
export const idsOrNone: Check<Int32Array> = (value, name, vocabSize) =>
  isEmpty(value) ? new Int32Array() : ids(value, name, vocabSize);

/** An array of ids, possibly empty. */
export const idArray: Check<Int32Array> = (value, name, vocabSize) =>
  isEmpty(value) ? new Int32Array() : readIdList(value, name, vocabSize);

export const idSequences: Check<readonly Int32Array[]> = (value, name, vocabSize) =>
  checkArray(value, name, (sequence, at) => readIdList(sequence, at, vocabSize));

export const sequenceBiases: Check<readonly SequenceBias[]> = (value, name, vocabSize) =>
  checkArray(value, name, (pair, at) => {
    const [sequence, bias] = checkPair(pair, at, "[ids, bias]");
    // A bias of minus infinity forbids the sequence, so infinity is allowed.
    if (typeof bias !== "number" || Number.isNaN(bias)) throw expected("a number", `${at}[1]`, bias);
    return { ids: readIdList(sequence, `${at}[0]`, vocabSize), bias };
  });

export const lengthDecay: Check<LengthDecay> = (value, name, vocabSize) => {
  const [start, factor] = checkPair(value, name, "[start, factor]");
  return {
    start: checkInteger(start, `${name}[0]`, 0),
    factor: positiveNumber(factor, `${name}[1]`, vocabSize),
  };
};

export const earlyStopping: Check<boolean | "never"> = (value, name) => {
  if (typeof value === "boolean" || value === "never") return value;
  throw expected('true, false or "never"', name, value);
};

/** One stop string, or several. */
export const stopStrings: Check<readonly string[]> = (value, name) =>
  typeof value === "string" ? [checkStopString(value, name)] : checkArray(value, name, checkStopString);

/** A seed as `torch.manual_seed` takes it, as an unsigned 64-bit integer. */
export const seed: Check<bigint> = (value, name) => {
  const found = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof found !== "bigint" || found < MIN_SEED || found >= SEED_COUNT) {
    throw expected("a safe integer, or a bigint from -2^63 to 2^64-1,", name, value);
  }
  // PyTorch's own mapping of negative seeds: -1 is 2^64 - 2.
  return found < 0n ? SEED_COUNT - 1n + found : found;
};

export const processor: Check<LogitsProcessor> = (value, name) => {
  if (typeof value === "function") return value as LogitsProcessor;
  throw expected("a function", name, value);
};

function checkStopString(value: unknown, name: string): string {
  if (typeof value !== "string" || value === "") throw expected("a string that is not empty", name, value);
  if (value.length > MAX_STOP_STRING_LENGTH) {
    throw refused(`at most ${MAX_STOP_STRING_LENGTH} characters`, name, `${value.length}`);
  }
  if (/\p{Surrogate}/u.test(value)) throw expected("a string without half of a surrogate pair", name, value);
  return value;
}

function checkPair(value: unknown, name: string, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== 2) throw expected(what, name, value);
  return value;
}

/** A copy of an array that is not empty, each element checked. */
function checkArray<Value>(
  value: unknown,
  name: string,
  check: (item: unknown, name: string) => Value,
): readonly Value[] {
  if (!Array.isArray(value)) throw expected("an array", name, value);
  const { length } = value;
  if (length === 0) throw expected("at least one element", name, value);
  const checked: Value[] = [];
  for (let index = 0; index < length; index++) checked.push(check(value[index], `${name}[${index}]`));
  return checked;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
