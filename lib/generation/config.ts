// What generation_config.json says about `generate`, and what Hugging Face knows there that this package doesn't do.
import type { GenerationConfig } from "../loading/config.js";
import { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { expected } from "../util/validation.js";
import { checkSettings, SETTING_NAMES, type Settings } from "./settings.js";

/** The settings of generation_config.json. */
export interface FileSettings extends Settings {
  readonly decoderStartTokenId: number | undefined;
}

/** A setting of Hugging Face's that there isn't here. */
interface Missing {
  /** Ends "Expected nothing, as ...". */
  readonly because: string;
  /** The values that change nothing, beside null. */
  readonly neutral?: readonly unknown[];
}

const MOVED = "Hugging Face moved it out of generate";
const ASSISTED = "no other model or prompt assists the decoding";
const CACHE = "every session keeps its cache";

/** By its name in camelCase: Hugging Face's settings without a counterpart, all of which could change what is generated. */
const MISSING: Readonly<Record<string, Missing>> = {
  assistantEarlyExit: { because: ASSISTED },
  assistantModel: { because: ASSISTED },
  cacheConfig: { because: CACHE },
  cacheImplementation: { because: CACHE, neutral: ["dynamic", "hybrid"] },
  compileConfig: { because: "nothing is compiled" },
  constraints: { because: `constrained beam search isn't available: ${MOVED}` },
  continuousBatchingConfig: { because: "calls are never merged" },
  diversityPenalty: { because: `group beam search isn't available: ${MOVED}`, neutral: [0] },
  dolaLayers: { because: `DoLa isn't available: ${MOVED}` },
  forceWords: { because: `constrained beam search isn't available: ${MOVED}` },
  forceWordsIds: { because: `constrained beam search isn't available: ${MOVED}` },
  guidanceScale: { because: "classifier-free guidance is for decoders without an encoder", neutral: [1] },
  isAssistant: { because: ASSISTED, neutral: [false] },
  lowMemory: { because: `low-memory search isn't available: ${MOVED}`, neutral: [false] },
  maxCacheLen: { because: CACHE },
  numBeamGroups: { because: `group beam search isn't available: ${MOVED}`, neutral: [1] },
  penaltyAlpha: { because: `contrastive search isn't available: ${MOVED}`, neutral: [0] },
  prefillChunkSize: { because: "the decoder's input is read at once" },
  promptLookupNumTokens: { because: ASSISTED },
  tokenHealing: { because: "token healing is for decoders without an encoder", neutral: [false] },
  topH: { because: "top-H sampling isn't available" },
  useCache: { because: CACHE, neutral: [true] },
  useMtp: { because: ASSISTED, neutral: [false] },
  watermarkingConfig: { because: "watermarks aren't available" },
};

/** What a caller of Hugging Face's passes beside the settings, and what there is instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  attentionMask: "attentionMask in the input",
  customGenerate: "logitsProcessor, or a session of startDecoding",
  decoderInputIds: "decoderInputIds in the input",
  decoderStartTokenId: "decoderInputIds in the input",
  encoderOutputs: "encoderOutput in the input",
  generationConfig: "its settings as options",
  outputHiddenStates: "hiddenStates of a session of startDecoding",
  outputLogits: "returnLogits",
  outputScores: "returnScores",
  prefixAllowedTokensFn: "logitsProcessor",
  returnDictInGenerate: "returnLogits or returnScores",
  stoppingCriteria: "stopStrings, maxTime, or the tokens of stream",
  streamer: "stream",
};

/** The name of a setting of the file in a message. */
export const inFile = (name: string): string => `${snakeCase(name)} in generation_config.json`;

/**
 * The settings of a generation_config.json. Null is as good as absent; what says which outputs Hugging Face returns doesn't
 * count, nor do entries that Hugging Face doesn't know. Throws ERR_MODEL_CORRUPT for a value that a setting can't have, and
 * ERR_INVALID_ARGUMENT for a setting that isn't available, unless it changes nothing.
 */
export function readFileSettings(config: GenerationConfig, vocabSize: number): FileSettings {
  for (const [name, { because, neutral = [] }] of Object.entries(MISSING)) {
    const value = config[name] ?? undefined;
    if (value === undefined || neutral.includes(value)) continue;
    throw expected(`nothing, as ${because},`, inFile(name), value);
  }
  const given = Object.fromEntries(SETTING_NAMES.map((name) => [name, config[name] ?? undefined]));
  const start = config.decoderStartTokenId ?? config.bosTokenId ?? undefined;
  return { ...checkFile(given, vocabSize), decoderStartTokenId: startId(start, vocabSize) };
}

/** Refuses options that Hugging Face has and this package hasn't, each with its reason. Throws ERR_INVALID_ARGUMENT. */
export function refuseMissing(options: unknown): void {
  if (typeof options !== "object" || options === null) return;
  for (const name of Object.keys(options)) {
    const value: unknown = Object.getOwnPropertyDescriptor(options, name)?.value;
    const missing = Object.hasOwn(MISSING, name) ? MISSING[name] : undefined;
    if (missing !== undefined) throw expected(`nothing, as ${missing.because},`, `options.${name}`, value);
    const instead = Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined;
    if (instead !== undefined) throw expected(`${instead} instead`, `options.${name}`, value);
  }
}

function checkFile(given: Readonly<Record<string, unknown>>, vocabSize: number): Settings {
  try {
    return checkSettings(given, inFile, vocabSize);
  } catch (thrown) {
    if (thrown instanceof T5Error) throw new T5Error("ERR_MODEL_CORRUPT", thrown.message);
    throw thrown;
  }
}

function startId(value: unknown, vocabSize: number): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < vocabSize) return value;
  throw corrupt(`an id from 0 to ${vocabSize - 1}`, inFile("decoderStartTokenId"), value);
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
