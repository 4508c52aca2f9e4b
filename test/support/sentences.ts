// A small sentence-transformers directory with random weights, like those of sentence-t5.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CONFIG, fileOf, makeWeights } from "./checkpoint.js";

export const WIDTH = CONFIG.d_model;
export const OUTPUTS = 6;

const TYPES = { Transformer: "", Pooling: "1_Pooling", Dense: "2_Dense", Normalize: "3_Normalize" } as const;

/** modules.json as sentence-transformers 2 writes it. */
export const MODULES = Object.entries(TYPES).map(([name, path], idx) => ({
  idx,
  name: String(idx),
  path,
  type: `sentence_transformers.models.${name}`,
}));

export const DENSE = {
  in_features: WIDTH,
  out_features: OUTPUTS,
  bias: false,
  activation_function: "torch.nn.modules.linear.Identity",
};

/** The weights of the dense module, `[OUTPUTS, WIDTH]`, in multiples of 1/8, which every floating-point type has. */
export const DENSE_WEIGHT = Float32Array.from({ length: OUTPUTS * WIDTH }, (_, index) => ((index * 5) % 17) / 8 - 1);

/** The content of each file. */
export function sentenceFiles(): Map<string, string | Buffer> {
  const weights = [...makeWeights()].filter(([name]) => !name.startsWith("decoder."));
  return new Map<string, string | Buffer>([
    ["modules.json", JSON.stringify(MODULES)],
    ["config_sentence_transformers.json", JSON.stringify({ prompts: { query: "q: " } })],
    ["sentence_bert_config.json", JSON.stringify({ max_seq_length: 16, do_lower_case: false })],
    ["config.json", JSON.stringify({ ...CONFIG, architectures: ["T5EncoderModel"] })],
    ["model.safetensors", fileOf(new Map(weights))],
    ["1_Pooling/config.json", JSON.stringify({ word_embedding_dimension: WIDTH, pooling_mode_mean_tokens: true })],
    ["2_Dense/config.json", JSON.stringify(DENSE)],
    [
      "2_Dense/model.safetensors",
      fileOf(new Map([["linear.weight", { shape: [OUTPUTS, WIDTH], data: DENSE_WEIGHT }]])),
    ],
  ]);
}

/** Writes the files, with changes: `undefined` for a file that is left out. */
export function writeSentences(
  directory: string,
  changes: Readonly<Record<string, string | Buffer | object | undefined>> = {},
): void {
  const files = new Map<string, string | Buffer | object | undefined>([...sentenceFiles(), ...Object.entries(changes)]);
  for (const [name, content] of files) {
    if (content === undefined) continue;
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    const isContent = typeof content === "string" || Buffer.isBuffer(content);
    writeFileSync(path, isContent ? content : JSON.stringify(content));
  }
}
