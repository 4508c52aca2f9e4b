// What there is to say about how tokens are chosen: each setting's name, and the check that a value of it passes, whoever
// says it.
import { idError, readList } from "../inputs/ids.js";
import { checkFlag, checkInteger, checkNumber, expected, refused } from "../util/validation.js";

/** Ids that get a bias together. */
export interface SequenceBias {
  readonly ids: Int32Array;
  readonly bias: number;
}

/** From which generated token on, and by which factor each. */
export interface LengthDecay {
  readonly start: number;
  readonly factor: number;
}

type Check<Value> = (value: unknown, name: string, vocabSize: number) => Value;

const LONGEST_STOP_STRING = 2 ** 16;
const LEAST_SEED = -(2n ** 63n);
const SEEDS = 2n ** 64n;

const count =
  (least: number): Check<number> =>
  (value, name) =>
    checkInteger(value, name, least);
const positive: Check<number> = (value, name) => checkNumber(value, name, "a number over 0", (number) => number > 0);
const portion: Check<number> = (value, name) =>
  checkNumber(value, name, "a number from 0 to 1", (number) => number >= 0 && number <= 1);
const cutoff: Check<number> = (value, name) =>
  checkNumber(value, name, "a number from 0 up to 1, which is not included,", (number) => number >= 0 && number < 1);
const flag: Check<boolean> = (value, name) => checkFlag(value, name);

/** Every setting with its check. Each throws ERR_INVALID_ARGUMENT or ERR_TOKEN_OUT_OF_RANGE, and copies what it is given. */
export const CHECKS = {
  maxLength: count(1),
  maxNewTokens: count(1),
  minLength: count(0),
  minNewTokens: count(0),
  /** Empty: none, so that only a length or a stop string ends a sequence. */
  eosTokenId: (value, name, vocabSize) => (isEmpty(value) ? new Int32Array() : oneIdOrMany(value, name, vocabSize)),
  padTokenId: oneId,
  numBeams: count(1),
  numReturnSequences: count(1),
  lengthPenalty: (value, name) => checkNumber(value, name, "a number", () => true),
  earlyStopping,
  doSample: flag,
  temperature: positive,
  topK: count(0),
  topP: portion,
  minP: portion,
  typicalP: (value, name) =>
    checkNumber(value, name, "a number over 0, up to 1,", (number) => number > 0 && number <= 1),
  epsilonCutoff: cutoff,
  etaCutoff: cutoff,
  repetitionPenalty: positive,
  encoderRepetitionPenalty: positive,
  noRepeatNgramSize: count(0),
  encoderNoRepeatNgramSize: count(0),
  badWordsIds: (value, name, vocabSize) => checkArray(value, name, (ids, at) => idList(ids, at, vocabSize)),
  forcedBosTokenId: oneId,
  forcedEosTokenId: oneIdOrMany,
  suppressTokens: anyIds,
  beginSuppressTokens: anyIds,
  sequenceBias: (value, name, vocabSize) => checkArray(value, name, (pair, at) => sequenceBias(pair, at, vocabSize)),
  exponentialDecayLengthPenalty: lengthDecay,
  renormalizeLogits: flag,
  removeInvalidValues: flag,
  stopStrings,
  maxTime: (value, name) => checkNumber(value, name, "seconds of at least 0", (seconds) => seconds >= 0),
} as const satisfies Record<string, Check<unknown>>;

export type SettingName = keyof typeof CHECKS;

/** The settings that one side made. */
export type Settings = { readonly [Name in SettingName]?: ReturnType<(typeof CHECKS)[Name]> | undefined };

export const SETTING_NAMES = Object.keys(CHECKS) as readonly SettingName[];

/** Checks the settings of one side; `nameOf` says what a message calls each. */
export function checkSettings(
  given: Readonly<Partial<Record<SettingName, unknown>>>,
  nameOf: (name: SettingName) => string,
  vocabSize: number,
): Settings {
  const checked: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const value = given[name];
    if (value !== undefined) checked[name] = CHECKS[name](value, nameOf(name), vocabSize);
  }
  return checked as Settings;
}

/** A seed as `torch.manual_seed` takes it, as 64 bits without a sign. Throws ERR_INVALID_ARGUMENT. */
export function checkSeed(value: unknown, name: string): bigint {
  const seed = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof seed !== "bigint" || seed < LEAST_SEED || seed >= SEEDS) {
    throw expected("a safe integer, or a bigint from -2^63 to 2^64-1,", name, value);
  }
  return seed < 0n ? SEEDS - 1n + seed : seed;
}

function oneId(value: unknown, name: string, vocabSize: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < vocabSize) return value;
  throw idError(`an id from 0 to ${vocabSize - 1}`, name, value);
}

function idList(value: unknown, name: string, vocabSize: number): Int32Array {
  return readList(value, name, vocabSize, (id, at) => idError(`an id from 0 to ${vocabSize - 1}`, at, id));
}

/** Possibly none, as in Hugging Face. */
function anyIds(value: unknown, name: string, vocabSize: number): Int32Array {
  return isEmpty(value) ? new Int32Array() : idList(value, name, vocabSize);
}

function oneIdOrMany(value: unknown, name: string, vocabSize: number): Int32Array {
  if (typeof value === "object" && value !== null) return idList(value, name, vocabSize);
  return Int32Array.of(oneId(value, name, vocabSize));
}

function earlyStopping(value: unknown, name: string): boolean | "never" {
  if (typeof value === "boolean" || value === "never") return value;
  throw expected('true, false or "never"', name, value);
}

function sequenceBias(pair: unknown, name: string, vocabSize: number): SequenceBias {
  if (!Array.isArray(pair) || pair.length !== 2) throw expected("[ids, bias]", name, pair);
  const [ids, bias]: readonly unknown[] = pair;
  // Minus infinity forbids a sequence.
  if (typeof bias !== "number" || Number.isNaN(bias)) throw expected("a number", `${name}[1]`, bias);
  return { ids: idList(ids, `${name}[0]`, vocabSize), bias };
}

function lengthDecay(value: unknown, name: string): LengthDecay {
  if (!Array.isArray(value) || value.length !== 2) throw expected("[start, factor]", name, value);
  const [start, factor]: readonly unknown[] = value;
  return { start: checkInteger(start, `${name}[0]`, 0), factor: positive(factor, `${name}[1]`, 0) };
}

function stopStrings(value: unknown, name: string): readonly string[] {
  if (typeof value === "string") return [stopString(value, name)];
  return checkArray(value, name, stopString);
}

function stopString(value: unknown, name: string): string {
  if (typeof value !== "string" || value === "") throw expected("a string that is not empty", name, value);
  if (value.length > LONGEST_STOP_STRING) {
    throw refused(`at most ${LONGEST_STOP_STRING} characters`, name, `${value.length}`);
  }
  if (/\p{Surrogate}/u.test(value)) throw expected("a string without half of a surrogate pair", name, value);
  return value;
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A copy of an array, each element checked. */
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
