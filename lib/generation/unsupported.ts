// Hugging Face's options of `generate` that this package lacks. A value is accepted where Hugging Face generates the same
// with it, without a warning; any other value is refused, with the reason or with what replaces the option.
import { expected } from "../util/validation.js";

/** What decides, besides an option's value, whether the option has an effect. */
export interface SearchKind {
  readonly numBeams: number;
  readonly doSample: boolean;
  readonly topK: number;
  /** The number of ids in each row of the decoder's input. */
  readonly promptLength: number;
}

/** What one side gives of such options: the caller, or generation_config.json. */
export interface GivenUnsupported {
  /** Null and undefined count as absent. */
  readonly unsupported: Readonly<Partial<Record<UnsupportedName, unknown>>>;
  /** Names an option of this side in messages. */
  readonly nameOf: (name: string) => string;
}

type UnsupportedName = keyof typeof UNSUPPORTED;

interface UnsupportedOption {
  /** Completes "Expected ... for the option but received ...". */
  readonly refusal: string;
  /** Whether Hugging Face generates the same with the value, without a warning. Null always is such a value. */
  readonly isNeutral: (value: unknown, search: SearchKind) => boolean;
  /** An argument of Hugging Face's `generate` alone, or an output that the file has no say in. */
  readonly isCallOnly?: true;
}

type IsNeutral = UnsupportedOption["isNeutral"];

const never: IsNeutral = () => false;
const always: IsNeutral = () => true;
const only =
  (...values: readonly unknown[]): IsNeutral =>
  (value) =>
    values.includes(value);
const isNumber = (value: unknown): value is number => typeof value === "number" && !Number.isNaN(value);

const because = (reason: string, isNeutral: IsNeutral = never): UnsupportedOption => ({
  refusal: `nothing, as ${reason},`,
  isNeutral,
});
const instead = (replacement: string, isNeutral: IsNeutral = never): UnsupportedOption => ({
  refusal: `${replacement} instead`,
  isNeutral,
  isCallOnly: true,
});
/** What Hugging Face reads for other models, or for another option of this table, which is refused itself. */
const ignored: UnsupportedOption = { refusal: "", isNeutral: always };

const MOVED = "Hugging Face moved it out of generate";
const ASSISTED = "no other model or prompt assists the decoding";
const CACHE = "every session keeps its cache";
const GROUPS = `group beam search isn't available: ${MOVED}`;
const CONSTRAINED = `constrained beam search isn't available: ${MOVED}`;
const OUTPUTS = "a result has neither attentions nor hidden states";

const UNSUPPORTED = {
  assistantConfidenceThreshold: ignored,
  assistantEarlyExit: because(ASSISTED),
  assistantEnsembleWeight: because(ASSISTED, (value) => isNumber(value) && value > 0 && value < 1),
  assistantLookbehind: ignored,
  assistantModel: because(ASSISTED),
  assistantTokenizer: because(ASSISTED),
  cacheConfig: ignored,
  cacheImplementation: because(CACHE, only("dynamic", "hybrid")),
  compileConfig: because("nothing is compiled"),
  constraints: because(CONSTRAINED),
  continuousBatchingConfig: ignored,
  disableCompile: ignored,
  diversityPenalty: because(GROUPS, isNumber),
  dolaLayers: because(`DoLa isn't available: ${MOVED}`),
  forceWords: because(CONSTRAINED),
  forceWordsIds: because(CONSTRAINED),
  guidanceScale: because("classifier-free guidance is for decoders without an encoder", only(1)),
  isAssistant: because(ASSISTED, only(false)),
  lowMemory: because(
    `low-memory search isn't available: ${MOVED}`,
    (value, { numBeams }) => value === false || (value === true && numBeams === 1),
  ),
  maxCacheLen: because(CACHE),
  maxMatchingNgramSize: ignored,
  numAssistantTokens: ignored,
  numAssistantTokensSchedule: ignored,
  numBeamGroups: because(GROUPS, (value, { numBeams }) => isNumber(value) && (value <= 1 || numBeams === 1)),
  penaltyAlpha: because(
    `contrastive search isn't available: ${MOVED}`,
    (value, { numBeams, doSample, topK }) => isNumber(value) && (value <= 0 || numBeams > 1 || doSample || topK <= 1),
  ),
  // Pieces of a longer decoder input would change the last bits of the logits.
  prefillChunkSize: because(
    "the decoder's input is read at once",
    (value, { promptLength }) => Number.isInteger(value) && Number(value) >= promptLength,
  ),
  promptLookupNumTokens: because(ASSISTED),
  speculationType: ignored,
  syncedGpus: { ...because("a model computes on one device", only(false)), isCallOnly: true },
  targetLookbehind: ignored,
  tokenHealing: because("token healing is for decoders without an encoder", only(false)),
  topH: because("top-H sampling isn't available"),
  trustRemoteCode: { ...because("no code is loaded", only(true, false)), isCallOnly: true },
  // Without a cache the last bits of the logits would change.
  useCache: because(CACHE, only(true)),
  useMtp: because(ASSISTED, only(false)),
  watermarkingConfig: because("watermarks aren't available"),

  attentionMask: instead("attentionMask in the input"),
  customGenerate: instead("logitsProcessor, or a session of startDecoding"),
  decoderInputIds: instead("decoderInputIds in the input"),
  decoderStartTokenId: instead("decoderInputIds in the input"),
  encoderOutputs: instead("encoderOutput in the input"),
  generationConfig: instead("its entries as options"),
  outputAttentions: { ...because(OUTPUTS, only(false)), isCallOnly: true },
  outputHiddenStates: instead("hiddenStates of a session of startDecoding", only(false)),
  outputLogits: instead("returnLogits", only(false)),
  outputScores: instead("returnScores", only(false)),
  prefixAllowedTokensFn: instead("logitsProcessor"),
  returnDictInGenerate: instead("returnLogits or returnScores", only(true, false)),
  stoppingCriteria: instead("stopStrings, maxTime, or the tokens of stream", (value) => isEmptyArray(value)),
  streamer: instead("stream"),
} satisfies Readonly<Record<string, UnsupportedOption>>;

export const UNSUPPORTED_NAMES = Object.keys(UNSUPPORTED) as readonly UnsupportedName[];

/** Those of the options that generation_config.json may have. */
export const UNSUPPORTED_IN_FILE = UNSUPPORTED_NAMES.filter((name) => !optionOf(name).isCallOnly);

/**
 * Refuses the values that would change what a search of this kind generates. A value of the first of `sides` takes
 * precedence over one of the next. Throws ERR_INVALID_ARGUMENT.
 */
export function rejectUnsupported(sides: readonly GivenUnsupported[], search: SearchKind): void {
  for (const name of UNSUPPORTED_NAMES) {
    const side = sides.find(({ unsupported }) => (unsupported[name] ?? undefined) !== undefined);
    const value = side?.unsupported[name];
    const { refusal, isNeutral } = optionOf(name);
    if (side !== undefined && !isNeutral(value, search)) throw expected(refusal, side.nameOf(name), value);
  }
}

function optionOf(name: UnsupportedName): UnsupportedOption {
  return UNSUPPORTED[name];
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
