// The weights of a Hugging Face checkpoint: which tensors of its files are which weights of the architecture.
import type { NativeArchitecture, NativeStoredTensor, NativeStoredWeights } from "../native/types.js";
import { cut } from "../util/describe.js";
import { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { refused } from "../util/validation.js";
import { hasDecoder, type ModelKind } from "./architectures.js";
import { type SafetensorsHeader, type TensorEntry, tensorIn } from "./safetensors.js";

/** A safetensors file of a checkpoint. */
export interface WeightFile {
  /** As the directory and messages call it. */
  readonly name: string;
  readonly path: string;
  readonly header: SafetensorsHeader;
}

/** The names and shapes of the weights that a checkpoint has to have. */
export interface WantedWeights {
  readonly kind: ModelKind;
  readonly architecture: NativeArchitecture;
  /** Of a classifier. */
  readonly numLabels: number;
}

/** The tensors that a model is made of, and the names of those that it isn't. */
export interface FoundWeights {
  readonly stored: NativeStoredWeights;
  /** Those that Hugging Face warns about, too. */
  readonly unexpected: readonly string[];
}

/** A tensor of a checkpoint, and the index of its file. */
interface Located {
  readonly name: string;
  readonly entry: TensorEntry;
  readonly file: number;
}

/** `base_model_prefix` of Hugging Face's T5 classes, which `from_pretrained` strips and adds. */
const BASE_PREFIX = "transformer.";
/** The names that every T5 has, after the prefix that a wrapper such as DistributedDataParallel adds. */
const T5_NAME = /^((?:[^.]+\.)*?)(?:shared\.weight|(?:encoder|decoder)\.block\.\d)/;
const SHARED = "shared.weight";
const ENCODER_EMBEDDING = "encoder.embed_tokens.weight";
const DECODER_EMBEDDING = "decoder.embed_tokens.weight";
const LM_HEAD = "lm_head.weight";
const DTYPES = ["F32", "BF16", "F16"] as const;
/** What Hugging Face ignores without a warning: a weight of the first T5 checkpoints that T5 doesn't use. */
const IGNORED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
/** What an encoder ignores of a whole model. */
const OF_DECODER = /^(decoder|lm_head)\./;
const MAX_SHAPE_LENGTH = 60;

/** Whether the files have the weights of a decoder. */
export function haveDecoder(files: readonly WeightFile[]): boolean {
  return files.some(({ header }) => [...header.tensors.keys()].some((name) => OF_DECODER.test(withoutBase(name))));
}

/** Whether the files have the weights of a classifier's head. */
export function haveClassifier(files: readonly WeightFile[]): boolean {
  return files.some(({ header }) =>
    [...header.tensors.keys()].some((name) => /^(classification_head|classifier)\./.test(name)),
  );
}

/**
 * Finds every weight of an architecture. The embeddings and lm_head are tied where the checkpoint has fewer than all of
 * them, as Hugging Face's `tie_weights` does. Throws ERR_MODEL_CORRUPT for a missing weight, and one of another shape
 * or type.
 */
export function findWeights(files: readonly WeightFile[], wanted: WantedWeights): FoundWeights {
  const left = locate(files);
  const tensors: NativeStoredTensor[] = [];
  const take = (name: string, shape: readonly number[], from = name): void => {
    const found = left.get(from);
    const file = found && files[found.file];
    if (found === undefined || file === undefined) {
      const message = `Expected every weight of the model that config.json describes but the checkpoint lacks ${name}`;
      throw new T5Error("ERR_MODEL_CORRUPT", message);
    }
    tensors.push({ ...storedTensor(found, file.name, shape), name });
  };
  const { kind, architecture, numLabels } = wanted;
  const table = [architecture.vocabSize, architecture.dModel];
  for (const { name, from } of embeddings(kind, left)) take(name, table, from);
  for (const name of [SHARED, ENCODER_EMBEDDING, DECODER_EMBEDDING, LM_HEAD]) {
    if (name !== LM_HEAD || kind === "generation") left.delete(name);
  }
  for (const [name, shape] of weightsOf(kind, architecture, numLabels)) {
    take(name, shape);
    left.delete(name);
  }
  return {
    stored: { files: files.map(({ path, header }) => ({ path, bytes: header.bytes })), tensors },
    unexpected: [...left.keys()].filter((name) => name !== IGNORED && (hasDecoder(kind) || !OF_DECODER.test(name))),
  };
}

/** All tensors by Hugging Face's names, without the base prefix. */
function locate(files: readonly WeightFile[]): Map<string, Located> {
  const located = new Map<string, Located>();
  for (const [file, { name: fileName, header }] of files.entries()) {
    for (const [name, entry] of header.tensors) {
      const base = withoutBase(name);
      if (located.has(base))
        throw refused("each weight once", fileName, cut(name, MAX_SHAPE_LENGTH), "ERR_MODEL_CORRUPT");
      located.set(base, { name, entry, file });
    }
  }
  return located;
}

/**
 * Refuses weights that a wrapper has renamed, and states the Python that renames them back. Throws ERR_MODEL_CORRUPT.
 */
export function refusePrefix(path: string, { tensors }: SafetensorsHeader): void {
  const counts = new Map<string, number>();
  for (const name of tensors.keys()) {
    const prefix = T5_NAME.exec(name)?.[1];
    if (prefix !== undefined) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  }
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  if (most === undefined || counts.has("") || counts.has(BASE_PREFIX)) return;
  const [prefix, file] = [JSON.stringify(most[0]), JSON.stringify(path)];
  const stripped = `{name.removeprefix(${prefix}): each for name, each in weights.items() if name.startswith(${prefix})}`;
  const python = `from safetensors.torch import load_file, save_file; weights = {name: each.clone() for name, each in load_file(${file}).items()}; save_file(${stripped}, ${file}, {"format": "pt"})`;
  const message = `Expected T5's weights by their names in ${path} but they begin with ${prefix}. Save them alone, in Python: ${python}`;
  throw new T5Error("ERR_MODEL_CORRUPT", message);
}

/**
 * The tensors to read as embeddings and as lm_head. `shared.weight` is the first that the checkpoint has; the others are
 * those of their own name, which native code compares with it.
 */
function embeddings(
  kind: ModelKind,
  found: ReadonlyMap<string, Located>,
): readonly { readonly name: string; readonly from: string }[] {
  if (!hasDecoder(kind)) {
    return [{ name: ENCODER_EMBEDDING, from: found.has(ENCODER_EMBEDDING) ? ENCODER_EMBEDDING : SHARED }];
  }
  const tied = [ENCODER_EMBEDDING, DECODER_EMBEDDING, ...(kind === "generation" ? [LM_HEAD] : [])];
  const shared = [SHARED, ...tied].find((name) => found.has(name)) ?? SHARED;
  return [
    { name: SHARED, from: shared },
    ...tied.filter((name) => found.has(name)).map((name) => ({ name, from: name })),
  ];
}

/** The weights of a model without its embeddings and lm_head, one by one: a config.json may state any number of layers. */
function* weightsOf(
  kind: ModelKind,
  architecture: NativeArchitecture,
  numLabels: number,
): Generator<readonly [name: string, shape: readonly number[]]> {
  const { dModel, numLayers, numDecoderLayers } = architecture;
  yield* stackOf("encoder", numLayers, architecture);
  if (hasDecoder(kind)) yield* stackOf("decoder", numDecoderLayers, architecture);
  if (kind === "sequenceClassification") {
    yield* linearOf("classification_head.dense", dModel, dModel);
    yield* linearOf("classification_head.out_proj", numLabels, dModel);
  }
  if (kind === "tokenClassification") yield* linearOf("classifier", numLabels, dModel);
}

function* stackOf(
  stack: "encoder" | "decoder",
  layers: number,
  { dModel, dKv, dFf, numHeads, relativeAttentionNumBuckets, isGated, hasBiasPerLayer }: NativeArchitecture,
): Generator<readonly [name: string, shape: readonly number[]]> {
  const innerDim = numHeads * dKv;
  function* attention(layer: string, module: string): Generator<readonly [string, readonly number[]]> {
    for (const input of ["q", "k", "v"]) yield [`${layer}.${module}.${input}.weight`, [innerDim, dModel]];
    yield [`${layer}.${module}.o.weight`, [dModel, innerDim]];
    yield [`${layer}.layer_norm.weight`, [dModel]];
  }
  for (let block = 0; block < layers; block++) {
    const prefix = `${stack}.block.${block}.layer`;
    yield* attention(`${prefix}.0`, "SelfAttention");
    if (block === 0 || hasBiasPerLayer) {
      const bias = `${prefix}.0.SelfAttention.relative_attention_bias.weight`;
      yield [bias, [relativeAttentionNumBuckets, numHeads]];
    }
    if (stack === "decoder") yield* attention(`${prefix}.1`, "EncDecAttention");
    const feedForward = `${prefix}.${stack === "decoder" ? 2 : 1}`;
    for (const input of isGated ? ["wi_0", "wi_1"] : ["wi"]) {
      yield [`${feedForward}.DenseReluDense.${input}.weight`, [dFf, dModel]];
    }
    yield [`${feedForward}.DenseReluDense.wo.weight`, [dModel, dFf]];
    yield [`${feedForward}.layer_norm.weight`, [dModel]];
  }
  yield [`${stack}.final_layer_norm.weight`, [dModel]];
}

function* linearOf(name: string, outputs: number, inputs: number): Generator<readonly [string, readonly number[]]> {
  yield [`${name}.weight`, [outputs, inputs]];
  yield [`${name}.bias`, [outputs]];
}

function storedTensor(
  { name, entry, file }: Located,
  fileName: string,
  shape: readonly number[],
): Omit<NativeStoredTensor, "name"> {
  const { offset } = entry;
  const dtype = DTYPES.find((known) => known === entry.dtype);
  if (dtype === undefined) throw corrupt("F32, BF16 or F16", `the type of ${tensorIn(name, fileName)}`, entry.dtype);
  if (entry.shape.length !== shape.length || !shape.every((size, axis) => size === entry.shape[axis])) {
    const received = cut(JSON.stringify(entry.shape), MAX_SHAPE_LENGTH);
    throw refused(JSON.stringify(shape), `the shape of ${tensorIn(name, fileName)}`, received, "ERR_MODEL_CORRUPT");
  }
  return { dtype, shape, file, offset };
}

function withoutBase(name: string): string {
  return name.startsWith(BASE_PREFIX) ? name.slice(BASE_PREFIX.length) : name;
}
