// `config.json` and `generation_config.json` as Hugging Face writes them, checked, and in camelCase.
import { checkObject, corrupt } from "../util/json.js";

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
  /** The id that decoding starts with: of config.json, else of generation_config.json, else the pad id. */
  readonly decoderStartTokenId: number;
}

/** What generation_config.json says, in camelCase. */
export type GenerationConfig = Readonly<Record<string, unknown>>;

// What Hugging Face's T5Config takes where its file is silent.
const DEFAULTS = { pad: 0, eos: 1, buckets: 32, distance: 128, epsilon: 1e-6 };
/** The model types, and the feed-forward layer of each where its file is silent. */
const FEED_FORWARD: ReadonlyMap<string, string> = new Map([
  ["t5", "relu"],
  ["mt5", "gated-gelu"],
  ["umt5", "gated-gelu"],
]);

/** The configuration in the text of config.json. Throws ERR_MODEL_CORRUPT. */
export function parseConfig(value: unknown, generation: GenerationConfig): T5Config {
  const raw = checkObject(value, "config.json");
  const modelType = raw.model_type;
  const feedForward = typeof modelType === "string" ? FEED_FORWARD.get(modelType) : undefined;
  if (typeof modelType !== "string" || feedForward === undefined) {
    throw corrupt(`one of ${[...FEED_FORWARD.keys()].join(", ")}`, "model_type in config.json", modelType);
  }
  const count = (name: string, fallback?: number): number => {
    const found = raw[name] ?? fallback;
    if (typeof found === "number" && Number.isSafeInteger(found) && found > 0) return found;
    throw corrupt("a positive integer", `${name} in config.json`, found);
  };
  const vocabSize = count("vocab_size");
  const id = (found: unknown, name: string): number => {
    const [first]: readonly unknown[] = Array.isArray(found) ? found : [found];
    if (typeof first === "number" && Number.isInteger(first) && first >= 0 && first < vocabSize) return first;
    throw corrupt(`an id from 0 to ${vocabSize - 1}`, `${name} in config.json`, found);
  };
  const numLayers = count("num_layers");
  const padTokenId = id(raw.pad_token_id ?? DEFAULTS.pad, "pad_token_id");
  const start = raw.decoder_start_token_id ?? generation.decoderStartTokenId ?? padTokenId;
  const epsilon = raw.layer_norm_epsilon ?? DEFAULTS.epsilon;
  return Object.freeze({
    modelType,
    vocabSize,
    dModel: count("d_model"),
    dKv: count("d_kv"),
    dFf: count("d_ff"),
    numLayers,
    numDecoderLayers: count("num_decoder_layers", numLayers),
    numHeads: count("num_heads"),
    feedForwardProj: typeof raw.feed_forward_proj === "string" ? raw.feed_forward_proj : feedForward,
    relativeAttentionNumBuckets: count("relative_attention_num_buckets", DEFAULTS.buckets),
    relativeAttentionMaxDistance: count("relative_attention_max_distance", DEFAULTS.distance),
    layerNormEpsilon: typeof epsilon === "number" ? epsilon : DEFAULTS.epsilon,
    padTokenId,
    eosTokenId: id(raw.eos_token_id ?? DEFAULTS.eos, "eos_token_id"),
    decoderStartTokenId: id(start, "decoder_start_token_id"),
  });
}

/** The generation configuration in the text of generation_config.json; an absent file says nothing. */
export function parseGenerationConfig(value: unknown): GenerationConfig {
  if (value === undefined) return Object.freeze({});
  const entries = Object.entries(checkObject(value, "generation_config.json"));
  return Object.freeze(Object.fromEntries(entries.map(([name, item]) => [camelCase(name), item])));
}

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
