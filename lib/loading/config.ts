// `config.json` and `generation_config.json` as Hugging Face writes them: checked, and in camelCase.
import { anId, isId } from "../inputs/ids.js";
import type { NativeActivation, NativeArchitecture } from "../native/types.js";
import { camelCase, checkObject, corrupt, snakeCase } from "../util/json.js";
import { INT32_MAX, refused } from "../util/validation.js";

/** The configuration of a model; names are the camelCase of Hugging Face's `T5Config`. */
export interface T5Config {
  /** "t5" (T5, v1.1, Flan and ByT5), "mt5" or "umt5". */
  readonly modelType: string;
  readonly vocabSize: number;
  readonly dModel: number;
  readonly dKv: number;
  readonly dFf: number;
  readonly numLayers: number;
  readonly numDecoderLayers: number;
  readonly numHeads: number;
  readonly feedForwardProj: string;
  readonly relativeAttentionNumBuckets: number;
  readonly relativeAttentionMaxDistance: number;
  readonly layerNormEpsilon: number;
  readonly padTokenId: number;
  readonly eosTokenId: number;
  /** The id that decoding starts with: that of config.json, else that of generation_config.json, else the pad id. */
  readonly decoderStartTokenId: number;
}

/** The entries of generation_config.json, in camelCase. */
export type GenerationConfig = Readonly<Record<string, unknown>>;

/** The JSON object of config.json. */
export type ConfigFile = Readonly<Record<string, unknown>>;

/** The defaults of Hugging Face's T5Config. */
const DEFAULTS = { pad: 0, eos: 1, buckets: 32, distance: 128, epsilon: 1e-6 } as const;

/** The model types, and the default feed-forward layer of each. */
const FEED_FORWARD: ReadonlyMap<string, string> = new Map([
  ["t5", "relu"],
  ["mt5", "gated-gelu"],
  ["umt5", "gated-gelu"],
]);

/** The names of each function in transformers' ACT2FN; functions of one entry differ in rounding only. */
const ACTIVATIONS: Readonly<Record<NativeActivation, readonly string[]>> = {
  relu: ["relu"],
  gelu_new: ["gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh"],
  gelu: ["gelu", "gelu_python"],
  silu: ["silu", "swish"],
};

/** The entries of Hugging Face's GenerationConfig that change what is generated. */
const GENERATION: ReadonlySet<string> = new Set(
  `
   max_length max_new_tokens min_length min_new_tokens early_stopping max_time stop_strings do_sample
   num_beams use_cache cache_implementation temperature top_k top_p min_p top_h typical_p
   epsilon_cutoff eta_cutoff repetition_penalty encoder_repetition_penalty length_penalty
   no_repeat_ngram_size bad_words_ids renormalize_logits forced_bos_token_id forced_eos_token_id
   remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens
   sequence_bias token_healing guidance_scale watermarking_config num_return_sequences pad_token_id
   bos_token_id eos_token_id encoder_no_repeat_ngram_size decoder_start_token_id penalty_alpha
   dola_layers diversity_penalty num_beam_groups constraints force_words_ids
  `
    .trim()
    .split(/\s+/),
);

/** The encoder halves the buckets for the two directions, and each half for near and far distances. */
const MIN_BUCKETS = 4;

/** The configuration in the JSON of config.json. Throws ERR_MODEL_CORRUPT. */
export function parseConfig(value: unknown, generation: GenerationConfig): T5Config {
  const file = checkObject(value, "config.json");
  const modelType = file.model_type;
  const feedForward = typeof modelType === "string" ? FEED_FORWARD.get(modelType) : undefined;
  if (typeof modelType !== "string" || feedForward === undefined) {
    throw corrupt(`one of ${[...FEED_FORWARD.keys()].join(", ")}`, inFile("model_type"), modelType);
  }
  const count = (name: string, fallback?: number): number => {
    const found = file[name] ?? fallback;
    if (typeof found === "number" && Number.isSafeInteger(found) && found > 0) return found;
    throw corrupt("a positive integer", inFile(name), found);
  };
  const vocabSize = count("vocab_size");
  const id = (found: unknown, name: string): number => {
    const [first]: readonly unknown[] = Array.isArray(found) ? found : [found];
    if (isId(first, vocabSize)) return first;
    throw corrupt(anId(vocabSize), inFile(name), found);
  };
  const numLayers = count("num_layers");
  const padTokenId = id(file.pad_token_id ?? DEFAULTS.pad, "pad_token_id");
  const start = file.decoder_start_token_id ?? generation.decoderStartTokenId ?? padTokenId;
  const epsilon = file.layer_norm_epsilon ?? DEFAULTS.epsilon;
  return Object.freeze({
    modelType,
    vocabSize,
    dModel: count("d_model"),
    dKv: count("d_kv"),
    dFf: count("d_ff"),
    numLayers,
    numDecoderLayers: count("num_decoder_layers", numLayers),
    numHeads: count("num_heads"),
    feedForwardProj: typeof file.feed_forward_proj === "string" ? file.feed_forward_proj : feedForward,
    relativeAttentionNumBuckets: count("relative_attention_num_buckets", DEFAULTS.buckets),
    relativeAttentionMaxDistance: count("relative_attention_max_distance", DEFAULTS.distance),
    layerNormEpsilon: typeof epsilon === "number" ? epsilon : DEFAULTS.epsilon,
    padTokenId,
    eosTokenId: id(file.eos_token_id ?? DEFAULTS.eos, "eos_token_id"),
    decoderStartTokenId: id(start, "decoder_start_token_id"),
  });
}

/** The entries in the JSON of generation_config.json; none where the file is absent. Throws ERR_MODEL_CORRUPT. */
export function parseGenerationConfig(value: unknown): GenerationConfig {
  if (value === undefined) return Object.freeze({});
  const entries = Object.entries(checkObject(value, "generation_config.json"));
  return Object.freeze(Object.fromEntries(entries.map(([name, item]) => [camelCase(name), item])));
}

/**
 * The entries of config.json that are entries of generation_config.json, too, in camelCase. Hugging Face reads them where
 * there is no generation_config.json (`GenerationConfig.from_pretrained` of config.json).
 */
export function generationConfigOf(file: ConfigFile): GenerationConfig {
  const entries = Object.entries(file).filter(([name, value]) => GENERATION.has(name) && value !== null);
  return parseGenerationConfig(Object.fromEntries(entries));
}

/**
 * What the fused engine reads of a configuration, as transformers reads it. Messages name `precision`, the requested
 * one. Throws ERR_INVALID_ARGUMENT where the fused engine lacks what the model needs, ERR_MODEL_CORRUPT for impossible
 * values.
 */
export function readArchitecture(config: T5Config, file: ConfigFile, precision: string): NativeArchitecture {
  const count = (name: keyof T5Config & keyof NativeArchitecture): number => {
    const found = config[name];
    if (found <= INT32_MAX) return found;
    throw corrupt(`an integer from 1 to ${INT32_MAX}`, inFile(snakeCase(name)), found);
  };
  const { layerNormEpsilon } = config;
  if (!Number.isFinite(layerNormEpsilon) || layerNormEpsilon < 0) {
    throw corrupt("a number of at least 0", inFile("layer_norm_epsilon"), layerNormEpsilon);
  }
  const { relativeAttentionNumBuckets: buckets, relativeAttentionMaxDistance: distance } = config;
  if (buckets < MIN_BUCKETS) {
    throw corrupt(`at least ${MIN_BUCKETS}`, inFile("relative_attention_num_buckets"), buckets);
  }
  // Half of the decoder's buckets hold one distance each. The others, on a logarithmic scale, begin after them.
  const minDistance = Math.floor(buckets / 2) + 1;
  if (distance < minDistance) {
    throw corrupt(`at least ${minDistance}`, inFile("relative_attention_max_distance"), distance);
  }
  const { activation, isGated } = readFeedForward(config.feedForwardProj, file, precision);
  return {
    dModel: count("dModel"),
    dKv: count("dKv"),
    dFf: count("dFf"),
    numLayers: count("numLayers"),
    numDecoderLayers: count("numDecoderLayers"),
    numHeads: count("numHeads"),
    vocabSize: count("vocabSize"),
    relativeAttentionNumBuckets: count("relativeAttentionNumBuckets"),
    relativeAttentionMaxDistance: count("relativeAttentionMaxDistance"),
    layerNormEpsilon,
    activation,
    isGated,
    hasBiasPerLayer: config.modelType === "umt5",
    scalesDecoderOutputs: scalesDecoderOutputs(config.modelType, file),
  };
}

/**
 * The feed-forward layer: `dense_act_fn` and `is_gated_act` if the file has them, else those of `feed_forward_proj`.
 */
function readFeedForward(
  projection: string,
  file: ConfigFile,
  precision: string,
): Pick<NativeArchitecture, "activation" | "isGated"> {
  const parts = projection.split("-");
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== "gated")) {
    throw corrupt('"<activation>" or "gated-<activation>"', inFile("feed_forward_proj"), projection);
  }
  // T5 v1.1's "gated-gelu" is the tanh approximation.
  const projected = projection === "gated-gelu" ? "gelu_new" : parts.at(-1);
  const name = file.dense_act_fn ?? projected;
  const known = Object.entries(ACTIVATIONS).find(([, names]) => names.some((candidate) => candidate === name));
  if (known === undefined) {
    const what = `"exact", the only one that has the activation ${JSON.stringify(name)},`;
    throw refused(what, "options.precision", JSON.stringify(precision));
  }
  return {
    activation: known[0] as NativeActivation,
    isGated: readFlag(file.is_gated_act, "is_gated_act", parts[0] === "gated"),
  };
}

/**
 * Whether the decoder's output is scaled before lm_head. mT5: never. UMT5: always, as transformers assumes tied
 * embeddings. T5: the file's `scale_decoder_outputs`, and without that entry, whether embeddings are tied.
 */
function scalesDecoderOutputs(modelType: string, file: ConfigFile): boolean {
  if (modelType !== "t5") return modelType === "umt5";
  const areTied = readFlag(file.tie_word_embeddings, "tie_word_embeddings", true);
  return readFlag(file.scale_decoder_outputs, "scale_decoder_outputs", areTied);
}

function readFlag(value: unknown, name: string, fallback: boolean): boolean {
  const found = value ?? fallback;
  if (typeof found === "boolean") return found;
  throw corrupt("a boolean", inFile(name), found);
}

/** An entry of the file, as messages name it. */
function inFile(name: string): string {
  return `${name} in config.json`;
}
