// `embedding.json` and `embedding.safetensors` of an export: what sentence-transformers makes of the encoder's output.
import type { NativeDenseWeights } from "../native/types.js";
import { checkObject, corrupt } from "../util/json.js";
import { INT32_MAX, isRecord } from "../util/validation.js";
import type { StoredTensor } from "./safetensors.js";

export const POOLINGS = ["mean", "first", "cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"] as const;

/** The activations of a dense module, and PyTorch's class of each. */
export const ACTIVATIONS = [
  { name: "identity", torch: "Identity" },
  { name: "tanh", torch: "Tanh" },
  { name: "relu", torch: "ReLU" },
  { name: "gelu", torch: "GELU" },
  { name: "silu", torch: "SiLU" },
  { name: "sigmoid", torch: "Sigmoid" },
] as const;

/** The activation of a dense module. */
export type Activation = (typeof ACTIVATIONS)[number]["name"];

/**
 * How hidden states become one vector, by the names of sentence-transformers. "first" is the first position, whatever
 * its mask; of the others, "cls" is the first position whose mask is 1.
 */
export type Pooling = (typeof POOLINGS)[number];

/** A module of sentence-transformers after the pooling. */
export type EmbeddingModule =
  | {
      readonly type: "dense";
      readonly inputs: number;
      readonly outputs: number;
      readonly bias: boolean;
      readonly activation: Activation;
    }
  | { readonly type: "normalize" };

/** What a sentence-transformers directory, or its export, states about its embeddings. */
export interface EmbeddingConfig {
  /** The vectors of several poolings are concatenated. */
  readonly pooling: readonly Pooling[];
  /** Whether the tokens of a prompt are pooled. */
  readonly includePrompt: boolean;
  /** The modules after the pooling, in order. */
  readonly modules: readonly EmbeddingModule[];
  /** Texts that precede the caller's, by name. */
  readonly prompts: Readonly<Record<string, string>>;
  /** The prompt that precedes texts by default. */
  readonly defaultPromptName: string | undefined;
  /** The number of ids that texts are truncated to. */
  readonly maxSeqLength: number | undefined;
}

const FILE = "embedding.json";

/** The configuration in the JSON of embedding.json. Throws ERR_MODEL_CORRUPT. */
export function parseEmbedding(value: unknown, dModel: number): EmbeddingConfig {
  const file = checkObject(value, FILE);
  const wrong = (what: string, name: string) => corrupt(what, `${name} in ${FILE}`, file[name]);
  const { pooling, includePrompt, modules, prompts, defaultPromptName, maxSeqLength } = file;
  if (!Array.isArray(pooling) || pooling.length === 0 || !pooling.every(isPooling)) {
    throw wrong(`some of ${POOLINGS.join(", ")}`, "pooling");
  }
  if (typeof includePrompt !== "boolean") throw wrong("a boolean", "includePrompt");
  if (!isRecord(prompts) || !Object.values(prompts).every((prompt) => typeof prompt === "string")) {
    throw wrong("texts by name", "prompts");
  }
  const isName = typeof defaultPromptName === "string" && Object.hasOwn(prompts, defaultPromptName);
  if (defaultPromptName !== null && !isName) throw wrong("the name of a prompt or null", "defaultPromptName");
  if (maxSeqLength !== null && !isSize(maxSeqLength)) throw wrong("a positive integer or null", "maxSeqLength");
  if (!Array.isArray(modules)) throw wrong("an array", "modules");
  let width = dModel * pooling.length;
  const parsed = modules.map((module: unknown, index) => {
    const read = parseModule(module, width);
    if (read === undefined) throw corrupt("a module that fits those before it", `modules[${index}] in ${FILE}`, module);
    if (read.type === "dense") width = read.outputs;
    return Object.freeze(read);
  });
  return Object.freeze({
    pooling: Object.freeze([...pooling]),
    includePrompt,
    modules: Object.freeze(parsed),
    prompts: Object.freeze({ ...(prompts as Readonly<Record<string, string>>) }),
    defaultPromptName: isName ? defaultPromptName : undefined,
    maxSeqLength: maxSeqLength ?? undefined,
  });
}

/**
 * The weights of each dense module: those of module 2 are called "2.weight" and "2.bias". Throws ERR_MODEL_CORRUPT.
 */
export function denseWeights(
  { modules }: EmbeddingConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
): readonly NativeDenseWeights[] {
  return modules.flatMap((module, index) => {
    if (module.type !== "dense") return [];
    const { inputs, outputs, activation } = module;
    const read = (name: string, ...shape: readonly number[]) => readFloats(tensors.get(name), shape, name);
    const weight = read(`${index}.weight`, outputs, inputs);
    const bias = module.bias ? read(`${index}.bias`, outputs) : undefined;
    return [{ inputs, outputs, weight, bias, activation }];
  });
}

function parseModule(value: unknown, width: number): EmbeddingModule | undefined {
  if (!isRecord(value)) return undefined;
  if (value.type === "normalize") return { type: "normalize" };
  const { type, inputs, outputs, bias, activation } = value;
  const known = ACTIVATIONS.find(({ name }) => name === activation);
  if (type !== "dense" || inputs !== width || !isSize(outputs) || typeof bias !== "boolean") return undefined;
  return known && { type, inputs: width, outputs, bias, activation: known.name };
}

function readFloats(stored: StoredTensor | undefined, shape: readonly number[], name: string): Float32Array {
  const isSame = stored?.shape.length === shape.length && shape.every((size, axis) => size === stored.shape[axis]);
  if (isSame && stored.data instanceof Float32Array) return stored.data;
  throw corrupt(`float32 ${JSON.stringify(shape)}`, `${name} in embedding.safetensors`, stored?.shape);
}

function isPooling(value: unknown): value is Pooling {
  return POOLINGS.some((known) => known === value);
}

/** Whether a value is a size that native code counts in int32. */
export function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value <= INT32_MAX;
}
