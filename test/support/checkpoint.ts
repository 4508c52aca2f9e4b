// A small Hugging Face directory with random weights, and safetensors files with any header.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { random } from "../archives/programs/random.mjs";

/** A tensor to write: float32 numbers, or the bytes of another type. */
export interface WrittenTensor {
  readonly dtype?: string;
  readonly shape: readonly number[];
  readonly data?: Float32Array | Uint8Array;
}

/** The sizes of a configuration that decide the shapes of weights. */
type Config = Readonly<
  Record<"vocab_size" | "d_model" | "d_kv" | "d_ff" | "num_heads" | "relative_attention_num_buckets", number>
>;

const SEED = 5;
const LENGTH_BYTES = 8;
const HALF = 1000;

export const CONFIG = {
  architectures: ["T5ForConditionalGeneration"],
  model_type: "t5",
  vocab_size: 16,
  d_model: 8,
  d_kv: 4,
  d_ff: 12,
  num_layers: 1,
  num_decoder_layers: 1,
  num_heads: 2,
  relative_attention_num_buckets: 8,
  relative_attention_max_distance: 16,
  feed_forward_proj: "relu",
  decoder_start_token_id: 0,
  eos_token_id: 1,
  pad_token_id: 0,
} as const;

function attentionShapes(
  layer: string,
  module: string,
  { num_heads: heads, d_kv: dKv, d_model: dModel }: Config,
): readonly (readonly [string, readonly number[]])[] {
  const innerDim = heads * dKv;
  return [
    ...["q", "k", "v"].map((name) => [`${layer}.${module}.${name}.weight`, [innerDim, dModel]] as const),
    [`${layer}.${module}.o.weight`, [dModel, innerDim]],
    [`${layer}.layer_norm.weight`, [dModel]],
  ];
}

function stackShapes(stack: string, config: Config): readonly (readonly [string, readonly number[]])[] {
  const { d_model: dModel, d_ff: dFf, relative_attention_num_buckets: buckets, num_heads: heads } = config;
  const layer = `${stack}.block.0.layer`;
  const feedForward = `${layer}.${stack === "decoder" ? 2 : 1}`;
  return [
    ...attentionShapes(`${layer}.0`, "SelfAttention", config),
    [`${layer}.0.SelfAttention.relative_attention_bias.weight`, [buckets, heads]],
    ...(stack === "decoder" ? attentionShapes(`${layer}.1`, "EncDecAttention", config) : []),
    [`${feedForward}.DenseReluDense.wi.weight`, [dFf, dModel]],
    [`${feedForward}.DenseReluDense.wo.weight`, [dModel, dFf]],
    [`${feedForward}.layer_norm.weight`, [dModel]],
    [`${stack}.final_layer_norm.weight`, [dModel]],
  ];
}

/** The weights of a configuration with one layer in each stack, tied, always the same. */
export function makeWeights(config: Config = CONFIG): Map<string, WrittenTensor> {
  const next = random(SEED);
  const shapes = [
    ["shared.weight", [config.vocab_size, config.d_model]] as const,
    ...stackShapes("encoder", config),
    ...stackShapes("decoder", config),
  ];
  return new Map(
    shapes.map(([name, shape]) => {
      const count = shape.reduce((product, size) => product * size, 1);
      return [name, { shape, data: Float32Array.from({ length: count }, () => next(2 * HALF) / HALF - 1) }];
    }),
  );
}

/** The entries of a header, and the numbers after it. */
export function headerOf(tensors: ReadonlyMap<string, WrittenTensor>): {
  readonly header: Record<string, { dtype: string; shape: readonly number[]; data_offsets: [number, number] }>;
  readonly numbers: Buffer;
} {
  let end = 0;
  const parts: Buffer[] = [];
  const entries = [...tensors].map(([name, { dtype = "F32", shape, data = new Uint8Array() }]) => {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const begin = end;
    end += bytes.length;
    parts.push(bytes);
    return [name, { dtype, shape, data_offsets: [begin, end] as [number, number] }] as const;
  });
  return { header: Object.fromEntries(entries), numbers: Buffer.concat(parts) };
}

/** The bytes of a safetensors file. `length`: of the header, if it is to be a wrong one. */
export function safetensors(header: string | object, numbers: Uint8Array, length?: bigint): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(LENGTH_BYTES);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, numbers]);
}

/** The bytes of a file of tensors. */
export function fileOf(tensors: ReadonlyMap<string, WrittenTensor>): Buffer {
  const { header, numbers } = headerOf(tensors);
  return safetensors(header, numbers);
}

/** Writes a whole directory. */
export function writeCheckpoint(
  directory: string,
  { weights = makeWeights(), config = CONFIG }: { weights?: ReadonlyMap<string, WrittenTensor>; config?: object } = {},
): void {
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  writeFileSync(join(directory, "model.safetensors"), fileOf(weights));
}
