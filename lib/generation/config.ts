// The defaults that a model's generation_config.json gives `generate`, and Hugging Face's options that this package
// lacks.
import { checkId } from "../inputs/ids.js";
import type { GenerationConfig } from "../loading/config.js";
import { T5Error } from "../util/errors.js";
import { snakeCase } from "../util/json.js";
import { expected } from "../util/validation.js";
import { checkOptionValues, OPTION_NAMES, type OptionValues, optionOf } from "./option-table.js";

/** A checked generation_config.json. */
interface GenerationDefaults {
  readonly options: OptionValues;
  /** The id that the decoder starts with, where the file has one. */
  readonly decoderStartTokenId: number | undefined;
}

/** Returns the defaults, or throws what is wrong with them: a new error for each call. */
export type DefaultsReader = () => GenerationDefaults;

/** An option of Hugging Face's that this package lacks. */
interface UnsupportedOption {
  /** Completes "Expected nothing, as ...". */
  readonly because: string;
  /** The values that change nothing, besides null. */
  readonly neutral?: readonly unknown[];
}

const MOVED = "Hugging Face moved it out of generate";
const ASSISTED = "no other model or prompt assists the decoding";
const CACHE = "every session keeps its cache";

/** By name in camelCase: the options of Hugging Face that have no counterpart and could change what is generated. */
const UNSUPPORTED: Readonly<Record<string, UnsupportedOption>> = {
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

/** Other arguments of Hugging Face's `generate`, and what replaces each. */
const REPLACEMENTS: Readonly<Record<string, string>> = {
  attentionMask: "attentionMask in the input",
  customGenerate: "logitsProcessor, or a session of startDecoding",
  decoderInputIds: "decoderInputIds in the input",
  decoderStartTokenId: "decoderInputIds in the input",
  encoderOutputs: "encoderOutput in the input",
  generationConfig: "its entries as options",
  outputHiddenStates: "hiddenStates of a session of startDecoding",
  outputLogits: "returnLogits",
  outputScores: "returnScores",
  prefixAllowedTokensFn: "logitsProcessor",
  returnDictInGenerate: "returnLogits or returnScores",
  stoppingCriteria: "stopStrings, maxTime, or the tokens of stream",
  streamer: "stream",
};

const CONFIG_OPTIONS = OPTION_NAMES.filter((name) => !optionOf(name).isCallOnly);

/**
 * Checks a generation_config.json once. A model whose file is refused still serves `forward`, so the error is kept for
 * the calls that need the file.
 */
export function checkGenerationConfig(config: GenerationConfig, vocabSize: number): DefaultsReader {
  try {
    const defaults = readGenerationConfig(config, vocabSize);
    return () => defaults;
  } catch (thrown) {
    return () => {
      throw thrown instanceof T5Error ? new T5Error(thrown.code, thrown.message) : thrown;
    };
  }
}

/**
 * The options in a generation_config.json. Null counts as absent. Entries that select Hugging Face's outputs are
 * ignored, and so are entries that Hugging Face doesn't know. Throws ERR_MODEL_CORRUPT for a value that an option can't
 * have, and ERR_INVALID_ARGUMENT for an unsupported option whose value changes something.
 */
export function readGenerationConfig(config: GenerationConfig, vocabSize: number): GenerationDefaults {
  for (const [name, { because, neutral = [] }] of Object.entries(UNSUPPORTED)) {
    const value = config[name] ?? undefined;
    if (value === undefined || neutral.includes(value)) continue;
    throw expected(`nothing, as ${because},`, inFile(name), value);
  }
  const given = Object.fromEntries(CONFIG_OPTIONS.map((name) => [name, config[name] ?? undefined]));
  const startId = config.decoderStartTokenId ?? config.bosTokenId ?? undefined;
  return asCorrupt(() => ({
    options: checkOptionValues(given, inFile, vocabSize),
    decoderStartTokenId: startId === undefined ? undefined : checkId(startId, inFile("decoderStartTokenId"), vocabSize),
  }));
}

/** Refuses the options of Hugging Face that this package lacks, each with its reason. Throws ERR_INVALID_ARGUMENT. */
export function rejectUnsupported(options: unknown): void {
  if (typeof options !== "object" || options === null) return;
  for (const name of Object.keys(options)) {
    // Not options[name]: each option is read once, later.
    const value: unknown = Object.getOwnPropertyDescriptor(options, name)?.value;
    const unsupported = Object.hasOwn(UNSUPPORTED, name) ? UNSUPPORTED[name] : undefined;
    if (unsupported !== undefined) throw expected(`nothing, as ${unsupported.because},`, `options.${name}`, value);
    const replacement = Object.hasOwn(REPLACEMENTS, name) ? REPLACEMENTS[name] : undefined;
    if (replacement !== undefined) throw expected(`${replacement} instead`, `options.${name}`, value);
  }
}

/** An option of the file, as messages name it. */
function inFile(name: string): string {
  return `${snakeCase(name)} in generation_config.json`;
}

/** Runs a check of the file's values: a wrong value there is a corrupt model, not a wrong argument. */
function asCorrupt<Result>(check: () => Result): Result {
  try {
    return check();
  } catch (thrown) {
    if (thrown instanceof T5Error) throw new T5Error("ERR_MODEL_CORRUPT", thrown.message);
    throw thrown;
  }
}
