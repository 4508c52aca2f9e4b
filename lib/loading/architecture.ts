// What the fused engine has to know of a model: the shape of its network, read from config.json as transformers reads it.
import type { NativeActivation, NativeArchitecture } from "../native/types.js";
import type { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { INT32_MAX, refused } from "../util/validation.js";
import type { T5Config } from "./config.js";

/** The JSON of config.json. */
export type ConfigFile = Readonly<Record<string, unknown>>;

/** The names in transformers' ACT2FN of each function; they differ by how they are rounded at most. */
const ACTIVATIONS: Readonly<Record<NativeActivation, readonly string[]>> = {
  relu: ["relu"],
  gelu_new: ["gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh"],
  gelu: ["gelu", "gelu_python"],
  silu: ["silu", "swish"],
};

/** The encoder halves them for the two directions, and these again for near and far. */
const FEWEST_BUCKETS = 4;

/**
 * The architecture of a model that is to be computed in `precision`. Throws ERR_INVALID_ARGUMENT where the fused engine
 * doesn't have what it needs, and ERR_MODEL_CORRUPT where the configuration can't be right.
 */
export function readArchitecture(config: T5Config, file: ConfigFile, precision: string): NativeArchitecture {
  const count = (name: keyof T5Config & keyof NativeArchitecture): number => {
    const found = config[name];
    if (found <= INT32_MAX) return found;
    throw corrupt(`an integer from 1 to ${INT32_MAX}`, `${snakeCase(name)} in config.json`, found);
  };
  const { layerNormEpsilon } = config;
  if (!Number.isFinite(layerNormEpsilon) || layerNormEpsilon < 0) {
    throw corrupt("a number of at least 0", "layer_norm_epsilon in config.json", layerNormEpsilon);
  }
  const { relativeAttentionNumBuckets: buckets, relativeAttentionMaxDistance: distance } = config;
  if (buckets < FEWEST_BUCKETS) {
    throw corrupt(`at least ${FEWEST_BUCKETS}`, "relative_attention_num_buckets in config.json", buckets);
  }
  // Half of the decoder's buckets are for one distance each; the logarithm of the others begins behind them.
  if (distance <= Math.floor(buckets / 2)) {
    const least = Math.floor(buckets / 2) + 1;
    throw corrupt(`at least ${least}`, "relative_attention_max_distance in config.json", distance);
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

/** The feed-forward layer: `dense_act_fn` and `is_gated_act` where the file has them, else what `feed_forward_proj` says. */
function readFeedForward(
  projection: string,
  file: ConfigFile,
  precision: string,
): { readonly activation: NativeActivation; readonly isGated: boolean } {
  const parts = projection.split("-");
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== "gated")) {
    throw corrupt('"<activation>" or "gated-<activation>"', "feed_forward_proj in config.json", projection);
  }
  // T5 v1.1 says "gelu" and means its approximation.
  const projected = projection === "gated-gelu" ? "gelu_new" : parts.at(-1);
  const name = file.dense_act_fn ?? projected;
  const known = Object.entries(ACTIVATIONS).find(([, names]) => names.some((candidate) => candidate === name));
  if (known === undefined) throw unsupported(precision, `the activation ${JSON.stringify(name)}`);
  return {
    activation: known[0] as NativeActivation,
    isGated: readFlag(file.is_gated_act, "is_gated_act", parts[0] === "gated"),
  };
}

/**
 * Whether the decoder's output is scaled before lm_head. mT5 never does. UMT5 does where embeddings are tied, which
 * transformers takes for granted. T5 says so, or else, in older files, whether embeddings were tied.
 */
function scalesDecoderOutputs(modelType: string, file: ConfigFile): boolean {
  if (modelType !== "t5") return modelType === "umt5";
  const wereTied = readFlag(file.tie_word_embeddings, "tie_word_embeddings", true);
  return readFlag(file.scale_decoder_outputs, "scale_decoder_outputs", wereTied);
}

function readFlag(value: unknown, name: string, fallback: boolean): boolean {
  const found = value ?? fallback;
  if (typeof found === "boolean") return found;
  throw corrupt("a boolean", `${name} in config.json`, found);
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function unsupported(precision: string, what: string): T5Error {
  return refused(`"exact", the only one that has ${what},`, "options.precision", JSON.stringify(precision));
}
