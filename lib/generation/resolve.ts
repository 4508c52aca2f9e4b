// From the caller's options and generation_config.json to the options of native code, by Hugging Face's rules:
// `_prepare_generation_config`, `_prepare_generated_length`, `_prepare_special_tokens`, `GenerationConfig.validate`.
// An option that Hugging Face ignores with a warning is refused if the caller gives it, and ignored if the file does.
import { randomBytes } from "node:crypto";
import type { NativeGenerateOptions } from "../native/types.js";
import type { T5Error } from "../util/errors.js";
import { expected, INT32_MAX, refused } from "../util/validation.js";
import type { SequenceBias } from "./option-checks.js";
import {
  DEFAULTS,
  namesIn,
  type OptionValues,
  optionOf,
  type Requirement,
  type ResolvedValues,
} from "./option-table.js";
import { type GivenUnsupported, rejectUnsupported } from "./unsupported.js";

/** The options that one side gives, checked: the caller, or generation_config.json. */
export interface GivenOptions extends GivenUnsupported {
  readonly values: OptionValues;
}

/** What the options apply to. */
export interface GenerationTask {
  readonly batch: number;
  /** The number of ids in each row of the decoder's input. */
  readonly promptLength: number;
  readonly vocabSize: number;
  /** The id that `encode` puts at the end of a text. */
  readonly endId: number;
  readonly hasTokenizer: boolean;
}

/** What a message asks for where ids end as `encode` ends a text, but must not. */
export const NOT_ENDED = "ids without the end-of-sequence id (encode with addSpecialTokens: false)";

/** How many tokens are generated where no length is given. */
const DEFAULT_NEW_TOKENS = 20;

/** No pad id: a sequence that ends early is decoded on with the others, as Hugging Face does. */
const NO_PADDING = -1;

/** What a message asks for where a requirement isn't met. */
const REQUIREMENTS: Readonly<Record<Requirement, string>> = {
  doSample: "options.doSample",
  numBeams: "options.numBeams over 1",
  noBeams: "options.numBeams: 1",
  eosTokenId: "an eosTokenId",
  tokenizer: "a model with a tokenizer",
};

/** Throws ERR_INVALID_ARGUMENT for options that contradict each other, the file or the input. */
export function resolveGenerationOptions(
  call: GivenOptions,
  file: GivenOptions,
  task: GenerationTask,
): NativeGenerateOptions {
  const { values: caller } = call;
  const { values: config } = file;
  const resolved: ResolvedValues = { ...DEFAULTS, ...config, ...caller };
  const { maxNewTokens, eosTokenId, forcedEosTokenId, logitsProcessor, ...others } = resolved;
  const { doSample, numBeams, numReturnSequences } = resolved;
  const eosTokenIds = eosTokenId ?? new Int32Array();
  const met: Readonly<Record<Requirement, boolean>> = {
    doSample,
    numBeams: numBeams > 1,
    noBeams: numBeams === 1,
    eosTokenId: eosTokenIds.length > 0,
    tokenizer: task.hasTokenizer,
  };
  rejectUnsupported([call, file], { numBeams, doSample, topK: resolved.topK, promptLength: task.promptLength });
  rejectIneffective(caller, met);
  rejectEnded(caller, task.endId);
  checkReturned(numReturnSequences, numBeams, doSample);
  checkForced(resolved);
  checkRequirements({ ...config, ...caller }, met);
  const lengths = resolveLengths(caller, resolved, task.promptLength);
  checkSizes(task, { numBeams, rows: Math.max(numBeams, numReturnSequences), ends: eosTokenIds.length }, lengths);
  return {
    ...others,
    ...lengths,
    eosTokenIds,
    padTokenId: padTokenId(caller, resolved),
    earlyStopping: earlyStopping(resolved.earlyStopping),
    seed: resolved.seed ?? (doSample ? randomBytes(8).readBigUInt64LE() : 0n),
    badWordsIds: resolved.badWordsIds && badWords(resolved.badWordsIds, eosTokenIds),
    sequenceBias: resolved.sequenceBias && distinctBias(resolved.sequenceBias),
    forcedEosTokenIds: forcedEosTokenId,
    suppressTokens: notEmpty(resolved.suppressTokens),
    beginSuppressTokens: notEmpty(resolved.beginSuppressTokens),
    stopStrings: resolved.stopStrings ?? [],
  };
}

/** Refuses an option of the caller's that has no effect with the other options. */
function rejectIneffective(caller: OptionValues, met: Readonly<Record<Requirement, boolean>>): void {
  for (const name of namesIn(caller)) {
    const { needs, default: neutral } = optionOf(name);
    if (needs === undefined || met[needs] || caller[name] === neutral) continue;
    throw missing(needs, name, caller[name]);
  }
}

/**
 * Refuses sequences of the caller's that end as `encode` ends a text: they would concern the end after a word, and
 * never the word. A sequence of the end id alone is Hugging Face's way to name the end.
 */
function rejectEnded({ badWordsIds = [], sequenceBias = [] }: OptionValues, endId: number): void {
  const check = (ids: Int32Array, name: string) => {
    if (ids.length > 1 && ids.at(-1) === endId) throw refused(NOT_ENDED, name, `ids that end in ${endId}`);
  };
  for (const [index, ids] of badWordsIds.entries()) check(ids, `options.badWordsIds[${index}]`);
  for (const [index, { ids }] of sequenceBias.entries()) check(ids, `options.sequenceBias[${index}][0]`);
}

/** Refuses options that can't be followed, whoever gives them. */
function checkRequirements(given: OptionValues, met: Readonly<Record<Requirement, boolean>>): void {
  for (const name of namesIn(given)) {
    const { requires } = optionOf(name);
    if (requires !== undefined && !met[requires]) throw missing(requires, name, given[name]);
  }
}

function missing(requirement: Requirement, name: string, value: unknown): T5Error {
  return expected(`${REQUIREMENTS[requirement]} alongside it`, `options.${name}`, value);
}

function checkReturned(numReturnSequences: number, numBeams: number, doSample: boolean): void {
  if (numBeams > 1 && numReturnSequences > numBeams) {
    throw expected(`at most ${numBeams}, as numBeams is,`, "options.numReturnSequences", numReturnSequences);
  }
  if (numBeams === 1 && !doSample && numReturnSequences > 1) {
    throw expected("1, as there are neither beams nor sampling,", "options.numReturnSequences", numReturnSequences);
  }
}

/** A forced id that is suppressed would leave no id at all. */
function checkForced({ suppressTokens, forcedBosTokenId, forcedEosTokenId }: ResolvedValues): void {
  if (suppressTokens === undefined) return;
  if (forcedBosTokenId !== undefined && suppressTokens.includes(forcedBosTokenId)) {
    throw expected("an id that is not in suppressTokens", "options.forcedBosTokenId", forcedBosTokenId);
  }
  if (forcedEosTokenId?.every((id) => suppressTokens.includes(id))) {
    throw refused("an id that is not in suppressTokens", "options.forcedEosTokenId", forcedEosTokenId.join(", "));
  }
}

/**
 * The id that fills rows after their end. As in Hugging Face, only the caller's counts where no `eosTokenId` is given
 * at all.
 */
function padTokenId(caller: OptionValues, { eosTokenId, padTokenId: resolved }: ResolvedValues): number {
  const usual = eosTokenId && (resolved ?? eosTokenId[0]);
  return caller.padTokenId ?? usual ?? NO_PADDING;
}

type Lengths = Pick<NativeGenerateOptions, "maxLength" | "minLength" | "minNewTokens">;

/**
 * Lengths from the first id of the decoder's input on. A number of new tokens takes precedence, whichever side gives
 * it.
 */
function resolveLengths(caller: OptionValues, resolved: ResolvedValues, promptLength: number): Lengths {
  for (const [newTokens, length] of [
    ["maxNewTokens", "maxLength"],
    ["minNewTokens", "minLength"],
  ] as const) {
    if (caller[newTokens] === undefined || caller[length] === undefined) continue;
    throw refused(`only one of ${newTokens} and ${length}`, "options", "both");
  }
  const { maxNewTokens, minNewTokens } = resolved;
  const maxLength =
    maxNewTokens === undefined
      ? (resolved.maxLength ?? DEFAULT_NEW_TOKENS + promptLength)
      : maxNewTokens + promptLength;
  if (maxLength <= promptLength) {
    throw expected(`more than ${promptLength}, the length of the decoder's input,`, "options.maxLength", maxLength);
  }
  if (maxLength > INT32_MAX) throw expected(`a length of at most ${INT32_MAX}`, "options.maxNewTokens", maxNewTokens);
  const minLength = minNewTokens === undefined ? resolved.minLength : minNewTokens + promptLength;
  const name = caller.minNewTokens === undefined ? "minLength" : "minNewTokens";
  if (caller[name] !== undefined && minLength > maxLength) {
    const max = name === "minLength" ? maxLength : maxLength - promptLength;
    throw expected(`at most ${max}, the maximum length,`, `options.${name}`, caller[name]);
  }
  return { maxLength, minLength: Math.min(minLength, INT32_MAX), minNewTokens: minNewTokens ?? 0 };
}

/** Refuses sizes that native code can't count in int32. */
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
    const max = Math.floor(INT32_MAX / (batch * rows));
    throw expected(`at most ${max} for ${batch * rows} sequences`, "the maximum length", maxLength);
  }
}

function earlyStopping(value: ResolvedValues["earlyStopping"]): NativeGenerateOptions["earlyStopping"] {
  if (value === "never") return value;
  return value ? "true" : "false";
}

/** Hugging Face's `NoBadWordsLogitsProcessor`: each sequence once, without those that consist of one end id. */
function badWords(words: readonly Int32Array[], eosTokenIds: Int32Array): readonly Int32Array[] {
  const kept = words.filter(({ length, 0: first = -1 }) => length > 1 || !eosTokenIds.includes(first));
  return [...new Map(kept.map((ids) => [ids.join(), ids])).values()];
}

/** As Python's dict: the last bias of each sequence, at the place of its first. */
function distinctBias(entries: readonly SequenceBias[]): readonly SequenceBias[] {
  return [...new Map(entries.map((entry) => [entry.ids.join(), entry])).values()];
}

function notEmpty(ids: Int32Array | undefined): Int32Array | undefined {
  return ids?.length === 0 ? undefined : ids;
}
