// From options and generation_config.json to what native code is told, by Hugging Face's rules:
// `_prepare_generation_config`, `_prepare_generated_length`, `_prepare_special_tokens`, `GenerationConfig.validate`.
// What Hugging Face ignores with a warning is refused where the caller wrote it, and ignored where the file says it.
import { randomBytes } from "node:crypto";
import type { NativeGenerateOptions } from "../native/types.js";
import type { T5Error } from "../util/errors.js";
import { expected, INT32_MAX, refused } from "../util/validation.js";
import type { FileSettings } from "./config.js";
import type { SequenceBias, SettingName, Settings } from "./settings.js";

/** What the caller's options say, checked. */
export interface CallerSettings extends Settings {
  readonly seed: bigint | undefined;
  readonly returnLogits: boolean;
  readonly returnScores: boolean;
}

/** What the options are for. */
export interface GenerationTask {
  readonly batch: number;
  /** Ids of the decoder's input in each row. */
  readonly promptLength: number;
  readonly vocabSize: number;
  readonly hasTokenizer: boolean;
}

/** Hugging Face's `_get_default_generation_params`, where a setting's absence isn't its default. */
const DEFAULTS = {
  newTokens: 20,
  minLength: 0,
  topK: 50,
  neutralFactor: 1,
  off: 0,
} as const;

/** Sampling's options, with the values that change nothing. Hugging Face's `validate` has the same. */
const SAMPLING = [
  ["temperature", 1],
  ["topP", 1],
  ["minP", undefined],
  ["typicalP", 1],
  ["topK", DEFAULTS.topK],
  ["epsilonCutoff", 0],
  ["etaCutoff", 0],
] as const satisfies readonly (readonly [SettingName, number | undefined])[];

/** What ends early isn't padded: it goes on with the others. */
const NO_PADDING = -1;

/** Throws ERR_INVALID_ARGUMENT for options that contradict each other, the file or the input. */
export function mergeSettings(caller: CallerSettings, file: FileSettings, task: GenerationTask): NativeGenerateOptions {
  const both = merged(caller, file);
  const doSample = both.doSample ?? false;
  const numBeams = both.numBeams ?? 1;
  const numReturnSequences = both.numReturnSequences ?? 1;
  const eosTokenIds = both.eosTokenId ?? new Int32Array();
  rejectIneffective(caller, { doSample, numBeams, hasEnd: eosTokenIds.length > 0 });
  checkReturned(numReturnSequences, numBeams, doSample);
  checkForced(both);
  const decay = both.exponentialDecayLengthPenalty;
  if (decay !== undefined && eosTokenIds.length === 0)
    throw ineffective("exponentialDecayLengthPenalty", decay, "an eosTokenId");
  const stopStrings = both.stopStrings ?? [];
  if (stopStrings.length > 0 && !task.hasTokenizer)
    throw ineffective("stopStrings", stopStrings, "a model with a tokenizer");
  const lengths = mergeLengths(caller, both, task.promptLength);
  checkSizes(task, { numBeams, rows: Math.max(numBeams, numReturnSequences), ends: eosTokenIds.length }, lengths);
  return {
    ...lengths,
    eosTokenIds,
    padTokenId: padding(caller, both),
    numBeams,
    numReturnSequences,
    lengthPenalty: both.lengthPenalty ?? DEFAULTS.neutralFactor,
    earlyStopping: earlyStopping(both.earlyStopping),
    doSample,
    seed: caller.seed ?? (doSample ? randomBytes(8).readBigUInt64LE() : 0n),
    temperature: both.temperature ?? DEFAULTS.neutralFactor,
    topK: both.topK ?? DEFAULTS.topK,
    topP: both.topP ?? DEFAULTS.neutralFactor,
    minP: both.minP,
    typicalP: both.typicalP ?? DEFAULTS.neutralFactor,
    epsilonCutoff: both.epsilonCutoff ?? DEFAULTS.off,
    etaCutoff: both.etaCutoff ?? DEFAULTS.off,
    repetitionPenalty: both.repetitionPenalty ?? DEFAULTS.neutralFactor,
    encoderRepetitionPenalty: both.encoderRepetitionPenalty ?? DEFAULTS.neutralFactor,
    noRepeatNgramSize: both.noRepeatNgramSize ?? DEFAULTS.off,
    encoderNoRepeatNgramSize: both.encoderNoRepeatNgramSize ?? DEFAULTS.off,
    badWordsIds: both.badWordsIds && badWords(both.badWordsIds, eosTokenIds),
    sequenceBias: both.sequenceBias && distinctBias(both.sequenceBias),
    forcedBosTokenId: both.forcedBosTokenId,
    forcedEosTokenIds: both.forcedEosTokenId,
    suppressTokens: notEmpty(both.suppressTokens),
    beginSuppressTokens: notEmpty(both.beginSuppressTokens),
    exponentialDecayLengthPenalty: decay,
    renormalizeLogits: both.renormalizeLogits ?? false,
    removeInvalidValues: both.removeInvalidValues ?? false,
    stopStrings,
    maxTime: both.maxTime,
    returnLogits: caller.returnLogits,
    returnScores: caller.returnScores,
  };
}

/** The caller's settings, and the file's where the caller says nothing. */
function merged(caller: Settings, file: Settings): Settings {
  const given = Object.entries(caller).filter(([, value]) => value !== undefined);
  return { ...file, ...Object.fromEntries(given) };
}

/** Refuses what the caller wrote although it has no effect beside the rest. */
function rejectIneffective(
  caller: CallerSettings,
  { doSample, numBeams, hasEnd }: { readonly doSample: boolean; readonly numBeams: number; readonly hasEnd: boolean },
): void {
  if (!doSample) {
    for (const [name, neutral] of SAMPLING) {
      const value = caller[name];
      if (value !== undefined && value !== neutral) throw ineffective(name, value, "options.doSample of true");
    }
    if (caller.seed !== undefined) throw ineffective("seed", caller.seed, "options.doSample of true");
  }
  if (numBeams === 1) {
    const { lengthPenalty = 1, earlyStopping: early = false } = caller;
    if (lengthPenalty !== 1) throw ineffective("lengthPenalty", lengthPenalty, "options.numBeams over 1");
    if (early !== false) throw ineffective("earlyStopping", early, "options.numBeams over 1");
  }
  if (!hasEnd) {
    for (const name of ["minLength", "minNewTokens"] as const) {
      const value = caller[name] ?? 0;
      if (value > 0) throw ineffective(name, value, "an eosTokenId");
    }
  }
}

function ineffective(name: string, value: unknown, needed: string): T5Error {
  return expected(`${needed} beside it`, `options.${name}`, value);
}

function checkReturned(numReturnSequences: number, numBeams: number, doSample: boolean): void {
  if (numBeams > 1 && numReturnSequences > numBeams) {
    throw expected(`at most ${numBeams}, as numBeams is,`, "options.numReturnSequences", numReturnSequences);
  }
  if (numBeams === 1 && !doSample && numReturnSequences > 1) {
    throw expected("1, as there are neither beams nor sampling,", "options.numReturnSequences", numReturnSequences);
  }
}

/** A forced id that is suppressed leaves no id at all. */
function checkForced({ suppressTokens, forcedBosTokenId, forcedEosTokenId }: Settings): void {
  if (suppressTokens === undefined) return;
  if (forcedBosTokenId !== undefined && suppressTokens.includes(forcedBosTokenId)) {
    throw expected("an id that suppressTokens lacks", "options.forcedBosTokenId", forcedBosTokenId);
  }
  if (forcedEosTokenId?.every((id) => suppressTokens.includes(id))) {
    throw refused("an id that suppressTokens lacks", "options.forcedEosTokenId", forcedEosTokenId.join(", "));
  }
}

/** Hugging Face pads what ended before others where there are end ids, or an empty list of them, and not where there is none. */
function padding(caller: Settings, { eosTokenId, padTokenId }: Settings): number {
  const usual = eosTokenId && (padTokenId ?? eosTokenId[0]);
  return caller.padTokenId ?? usual ?? NO_PADDING;
}

type Lengths = Pick<NativeGenerateOptions, "maxLength" | "minLength" | "minNewTokens">;

function mergeLengths(caller: Settings, both: Settings, promptLength: number): Lengths {
  for (const [newTokens, length] of [
    ["maxNewTokens", "maxLength"],
    ["minNewTokens", "minLength"],
  ] as const) {
    if (caller[newTokens] === undefined || caller[length] === undefined) continue;
    throw refused(`only one of ${newTokens} and ${length}`, "options", "both");
  }
  const { maxNewTokens, minNewTokens } = both;
  // Hugging Face lets new tokens win over lengths, whichever of the two sides each comes from.
  const maxLength =
    maxNewTokens === undefined ? (both.maxLength ?? DEFAULTS.newTokens + promptLength) : maxNewTokens + promptLength;
  if (maxLength <= promptLength) {
    throw expected(`more than ${promptLength}, the length of the decoder's input,`, "options.maxLength", maxLength);
  }
  if (maxLength > INT32_MAX) throw expected(`a length of at most ${INT32_MAX}`, "options.maxNewTokens", maxNewTokens);
  const minLength = minNewTokens === undefined ? (both.minLength ?? DEFAULTS.minLength) : minNewTokens + promptLength;
  const name = caller.minNewTokens === undefined ? "minLength" : "minNewTokens";
  if (caller[name] !== undefined && minLength > maxLength) {
    const most = name === "minLength" ? maxLength : maxLength - promptLength;
    throw expected(`at most ${most}, the greatest length,`, `options.${name}`, caller[name]);
  }
  return { maxLength, minLength: Math.min(minLength, INT32_MAX), minNewTokens: minNewTokens ?? 0 };
}

function checkSizes(
  { batch, vocabSize }: GenerationTask,
  { numBeams, rows, ends }: { readonly numBeams: number; readonly rows: number; readonly ends: number },
  { maxLength }: Lengths,
): void {
  const candidates = Math.max(2, 1 + ends);
  if (numBeams > 1 && candidates > vocabSize) {
    throw expected(`at most ${vocabSize - 1} ids, so that each beam has candidates,`, "options.eosTokenId", ends);
  }
  const name = numBeams > 1 ? "options.numBeams" : "options.numReturnSequences";
  if (batch * rows * vocabSize > INT32_MAX) {
    throw expected(`at most ${Math.floor(INT32_MAX / (batch * vocabSize))} for ${batch} rows of the input`, name, rows);
  }
  if (batch * rows * maxLength > INT32_MAX) {
    const most = Math.floor(INT32_MAX / (batch * rows));
    throw expected(`at most ${most} for ${batch * rows} sequences`, "the greatest length", maxLength);
  }
}

function earlyStopping(value: Settings["earlyStopping"] = false): NativeGenerateOptions["earlyStopping"] {
  if (value === "never") return value;
  return value ? "true" : "false";
}

/** Hugging Face's `NoBadWordsLogitsProcessor`: without those that are an end id alone, each once. */
function badWords(words: readonly Int32Array[], eosTokenIds: Int32Array): readonly Int32Array[] {
  const kept = words.filter(({ length, 0: first = -1 }) => length > 1 || !eosTokenIds.includes(first));
  return [...new Map(kept.map((ids) => [ids.join(), ids])).values()];
}

/** The last bias of each sequence, at the place of the first one: Python's dict. */
function distinctBias(entries: readonly SequenceBias[]): readonly SequenceBias[] {
  return [...new Map(entries.map((entry) => [entry.ids.join(), entry])).values()];
}

function notEmpty(ids: Int32Array | undefined): Int32Array | undefined {
  return ids?.length === 0 ? undefined : ids;
}
