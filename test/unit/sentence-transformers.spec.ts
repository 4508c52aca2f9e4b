import assert from "node:assert/strict";
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readModelKind, T5EncoderModel, type T5ErrorCode, T5ForConditionalGeneration } from "torch-t5";
import { fileOf, type WrittenTensor } from "../support/checkpoint.js";
import { withDirectory } from "../support/directory.js";
import { DENSE, DENSE_WEIGHT, MODULES, OUTPUTS, sentenceFiles, WIDTH, writeSentences } from "../support/sentences.js";

const IDS = { inputIds: [[3, 4, 5, 1]] };
const POOLING = "1_Pooling/config.json";
const DENSE_CONFIG = "2_Dense/config.json";
const WEIGHTS = "2_Dense/model.safetensors";
const SETTINGS = "config_sentence_transformers.json";
const TRANSFORMER = "sentence_bert_config.json";

type Changes = Parameters<typeof writeSentences>[1];

const load = (directory: string, options: object = {}) =>
  T5EncoderModel.fromPretrained(directory, { device: "cpu", intraOpThreads: 1, ...options });

/** The vector of a directory with changes. */
async function vectorOf(changes: Changes = {}): Promise<Float32Array> {
  return withDirectory(async (directory) => {
    writeSentences(directory, changes);
    await using model = await load(directory);
    return (await model.embed(IDS)).data;
  });
}

const dense = (tensors: Readonly<Record<string, WrittenTensor>>) => fileOf(new Map(Object.entries(tensors)));

const weight: WrittenTensor = { shape: [OUTPUTS, WIDTH], data: DENSE_WEIGHT };

/** modules.json with other properties of one module. */
const moduleWith = (index: number, change: object) =>
  MODULES.map((module, at) => (at === index ? { ...module, ...change } : module));

const ofType = (dtype: string, bytes: ArrayBufferView<ArrayBuffer>): WrittenTensor => ({
  dtype,
  shape: weight.shape,
  data: new Uint8Array(bytes.buffer),
});

/** The upper 16 bits of float32, which have all bits of these numbers. */
const bfloat16 = Uint16Array.from(new Uint32Array(DENSE_WEIGHT.slice().buffer), (bits) => bits >>> 16);

/** The bits of a normal float16, whose exponent has another bias than float32's. */
const float16 = Uint16Array.from(new Uint32Array(DENSE_WEIGHT.slice().buffer), (bits) => {
  const exponent = (bits >>> 23) & 0xff;
  const sign = (bits >>> 16) & 0x8000;
  return exponent === 0 ? sign : sign | ((exponent - 112) << 10) | ((bits >>> 13) & 0x3ff);
});

interface Refused {
  readonly promise: string;
  readonly changes?: Changes;
  /** Changes the directory after it was written. */
  readonly edit?: (directory: string) => void;
  readonly code?: T5ErrorCode;
  readonly message: RegExp;
}

const refused: readonly Refused[] = [
  {
    promise: "modules.json without a list",
    changes: { "modules.json": {} },
    message: /an array of at most 32 modules for modules\.json/,
  },
  {
    promise: "no modules",
    changes: { "modules.json": [] },
    message: /Expected Transformer, Pooling, then Dense or Normalize for modules\.json but received none/,
  },
  {
    promise: "33 modules",
    changes: { "modules.json": Array.from({ length: 33 }, () => MODULES[3]) },
    message: /an array of at most 32 modules/,
  },
  {
    promise: "modules in another order",
    changes: { "modules.json": MODULES.toReversed() },
    message: /but received Normalize, Dense, Pooling, Transformer/,
  },
  {
    promise: "a second encoder",
    changes: { "modules.json": [...MODULES, MODULES[0]] },
    message: /received Transformer, Pooling, Dense, Normalize, Transformer/,
  },
  {
    promise: "modules that aren't objects",
    changes: { "modules.json": [1, null] },
    message: /modules with a type and a path inside the directory for modules\.json/,
  },
  ...["../2_Dense", "/etc", "a/../../b", "C:\\x", "a\0", "."].map((path) => ({
    promise: `a module in ${JSON.stringify(path)}`,
    changes: { "modules.json": moduleWith(2, { path }) },
    message: /modules with a type and a path inside the directory for modules\.json but received/,
  })),
  {
    promise: "an unknown module",
    changes: { "modules.json": moduleWith(2, { type: "sentence_transformers.models.LSTM" }) },
    message: /modules of sentence-transformers .* received "sentence_transformers\.models\.LSTM" .*--no-modules/,
  },
  {
    promise: "a module of another package",
    changes: { "modules.json": moduleWith(2, { type: "mine.Dense" }) },
    message: /modules of sentence-transformers .* received "mine\.Dense"/,
  },
  {
    promise: "a module with kwargs",
    changes: { "modules.json": moduleWith(2, { kwargs: ["task"] }) },
    message: /no kwargs for modules\.json but received \["task"\]/,
  },
  {
    promise: "a deep modules.json",
    changes: { "modules.json": "[".repeat(1e6) },
    message: /JSON of at most 32 levels for modules\.json/,
  },
  { promise: "a truncated modules.json", changes: { "modules.json": "[" }, message: /Expected JSON for modules\.json/ },
  {
    promise: "no folder of its encoder",
    changes: { "modules.json": moduleWith(0, { path: "0_Transformer" }) },
    message: /0_Transformer, which modules\.json names, for directory but received none/,
  },
  {
    promise: "an encoder in a file",
    changes: { "modules.json": moduleWith(0, { path: "config.json" }) },
    message: /a folder for config\.json/,
  },
  {
    promise: "an encoder in a link that leads out of it",
    changes: { "modules.json": moduleWith(0, { path: "linked" }) },
    edit: (directory) => symlinkSync("/etc", join(directory, "linked")),
    message: /a folder inside the directory for linked but received a link to "\/etc"/,
  },
  {
    promise: "no pooling",
    changes: { [POOLING]: undefined },
    message: /Expected 1_Pooling\/config\.json, as modules\.json names its folder, but found none/,
  },
  {
    promise: "another kind of pooling",
    changes: { [POOLING]: { pooling_mode: ["mean", "attention"] } },
    message: /some of cls, max, .* for pooling_mode in 1_Pooling\/config\.json/,
  },
  {
    promise: "no pooling mode at all",
    changes: { [POOLING]: { pooling_mode: [] } },
    message: /pooling_mode in 1_Pooling\/config\.json/,
  },
  {
    promise: "the pooling of another width",
    changes: { [POOLING]: { word_embedding_dimension: 768 } },
    message: /Expected 8 for word_embedding_dimension in 1_Pooling\/config\.json but received 768/,
  },
  {
    promise: "a dense module without settings",
    changes: { [DENSE_CONFIG]: undefined },
    message: /Expected 2_Dense\/config\.json/,
  },
  {
    promise: "a dense module for another width",
    changes: { [DENSE_CONFIG]: { ...DENSE, in_features: 9 } },
    message: /Expected 8 for in_features in 2_Dense\/config\.json but received 9/,
  },
  ...[0, -1, 1.5, 2 ** 31, "6", undefined].map((value) => ({
    promise: `${value} outputs of a dense module`,
    changes: { [DENSE_CONFIG]: { ...DENSE, out_features: value } },
    message: /a positive integer for out_features in 2_Dense\/config\.json/,
  })),
  {
    promise: "2147483647 outputs of a dense module",
    changes: { [DENSE_CONFIG]: { ...DENSE, out_features: 2 ** 31 - 1 } },
    message: /linear\.weight \[2147483647,8\] for the tensors of 2_Dense\/model\.safetensors but received .*\[6,8\]/,
  },
  {
    promise: "a dense module with another activation",
    changes: { [DENSE_CONFIG]: { ...DENSE, activation_function: "torch.nn.modules.activation.Mish" } },
    message: /Identity, Tanh, .* of torch\.nn for activation_function in 2_Dense\/config\.json/,
  },
  {
    promise: "an activation of another package",
    changes: { [DENSE_CONFIG]: { ...DENSE, activation_function: "os.Tanh" } },
    message: /received "os\.Tanh"/,
  },
  {
    promise: "a dense module that reads token embeddings",
    changes: { [DENSE_CONFIG]: { ...DENSE, module_input_name: "token_embeddings" } },
    message: /Expected "sentence_embedding" for module_input_name in 2_Dense\/config\.json/,
  },
  {
    promise: "a residual connection",
    changes: { [DENSE_CONFIG]: { ...DENSE, use_residual: true } },
    message: /Expected false for use_residual/,
  },
  {
    promise: "a dense module without weights",
    changes: { [WEIGHTS]: undefined },
    message: /Expected 2_Dense\/model\.safetensors, as modules\.json names its folder, but found none/,
  },
  {
    promise: "a dense module with pickled weights alone",
    edit: (directory) => renameSync(join(directory, WEIGHTS), join(directory, "2_Dense/pytorch_model.bin")),
    code: "ERR_MODEL_NOT_FOUND",
    message: /2_Dense\/model\.safetensors in .* found 2_Dense\/pytorch_model\.bin.* run `npx torch-t5 export \S+ /,
  },
  {
    promise: "weights of a dense module in another shape",
    changes: { [WEIGHTS]: dense({ "linear.weight": { shape: [WIDTH, OUTPUTS], data: DENSE_WEIGHT } }) },
    message: /linear\.weight \[6,8\] for the tensors .* but received linear\.weight \[8,6\]/,
  },
  {
    promise: "a bias that its settings lack",
    changes: {
      [WEIGHTS]: dense({
        "linear.weight": weight,
        "linear.bias": { shape: [OUTPUTS], data: new Float32Array(OUTPUTS) },
      }),
    },
    message: /but received linear\.bias \[6\], linear\.weight \[6,8\]/,
  },
  {
    promise: "integers as weights",
    changes: { [WEIGHTS]: dense({ "linear.weight": ofType("I32", new Int32Array(OUTPUTS * WIDTH)) }) },
    message: /F32, F64, BF16, F16 for the type of linear\.weight in 2_Dense\/model\.safetensors but received "I32"/,
  },
  {
    promise: "truncated weights of a dense module",
    edit: (directory) => truncateSync(join(directory, WEIGHTS), 100),
    message: /2_Dense\/model\.safetensors/,
  },
  {
    promise: "a link from a dense module to a file outside",
    edit: (directory) => {
      rmSync(join(directory, WEIGHTS));
      symlinkSync("/etc/passwd", join(directory, WEIGHTS));
    },
    message: /a file inside the directory for 2_Dense\/model\.safetensors/,
  },
  {
    promise: "a folder of a dense module that leads outside",
    edit: (directory) => {
      rmSync(join(directory, "2_Dense"), { recursive: true });
      symlinkSync("/etc", join(directory, "2_Dense"));
      rmSync(join(directory, "1_Pooling"), { recursive: true });
      symlinkSync("/", join(directory, "1_Pooling"));
    },
    message: /1_Pooling\/config\.json/,
  },
  {
    promise: "prompts that aren't texts",
    changes: { [SETTINGS]: { prompts: { query: 5 } } },
    message: /texts by name for prompts in config_sentence_transformers\.json/,
  },
  {
    promise: "a default prompt that it lacks",
    changes: { [SETTINGS]: { default_prompt_name: "toString" } },
    message: /the name of a prompt for default_prompt_name .* received "toString"/,
  },
  {
    promise: "another kind of model",
    changes: { [SETTINGS]: { model_type: "SparseEncoder" } },
    message: /Expected "SentenceTransformer" for model_type in config_sentence_transformers\.json/,
  },
  {
    promise: "lower-casing",
    changes: { [TRANSFORMER]: { do_lower_case: true } },
    message: /Expected false for do_lower_case in sentence_bert_config\.json but received true/,
  },
  {
    promise: "arguments of its model",
    changes: { [TRANSFORMER]: { model_args: { dtype: "float16" } } },
    message: /no model_args for sentence_bert_config\.json/,
  },
  ...[0, -5, 1.5, "16"].map((length) => ({
    promise: `a maximum length of ${JSON.stringify(length)}`,
    changes: { [TRANSFORMER]: { max_seq_length: length } },
    message: /a positive integer for max_seq_length in sentence_bert_config\.json/,
  })),
  {
    promise: "no weights of its encoder",
    changes: { "model.safetensors": undefined },
    code: "ERR_MODEL_NOT_FOUND",
    message: /found no model\.safetensors/,
  },
  {
    promise: "an adapter",
    changes: { "adapter_config.json": {} },
    code: "ERR_INVALID_ARGUMENT",
    message: /a checkpoint without an adapter/,
  },
];

describe("a directory of sentence-transformers", () => {
  it("loads as an encoder, with what its modules state", async () => {
    await withDirectory(async (directory) => {
      writeSentences(directory);
      await using model = await load(directory);
      assert.deepEqual(model.embeddingConfig, {
        pooling: ["mean"],
        includePrompt: true,
        modules: [
          { type: "dense", inputs: WIDTH, outputs: OUTPUTS, bias: false, activation: "identity" },
          { type: "normalize" },
        ],
        prompts: { query: "q: ", document: "" },
        defaultPromptName: undefined,
        maxSeqLength: 16,
      });
      const { data, shape } = await model.embed(IDS);
      assert.deepEqual(shape, [1, OUTPUTS]);
      const pooled = (await model.embed(IDS, { dense: false, normalize: false })).data;
      const outputs = Array.from({ length: OUTPUTS }, (_, row) =>
        pooled.reduce((sum, value, at) => sum + value * (DENSE_WEIGHT[row * WIDTH + at] ?? Number.NaN), 0),
      );
      const length = Math.hypot(...outputs);
      // The dense module computes in float32.
      for (const [at, value] of outputs.entries())
        assert.ok(Math.abs((data[at] ?? Number.NaN) - value / length) < 1e-6);
    });
  });

  it("is of the kind encoder, and no class with a decoder loads it, even with the weights of one", async () => {
    await withDirectory(async (directory) => {
      writeSentences(directory);
      assert.equal(await readModelKind(directory), "encoder");
      await assert.rejects(T5ForConditionalGeneration.fromPretrained(directory), {
        code: "ERR_INVALID_ARGUMENT",
        message: /that of an encoder alone, T5EncoderModel: load it with T5EncoderModel\.fromPretrained/,
      });
    });
  });

  it("is refused in exact, with the command that exports it", async () => {
    await withDirectory(async (directory) => {
      writeSentences(directory);
      await assert.rejects(load(directory, { precision: "exact" }), {
        code: "ERR_INVALID_ARGUMENT",
        message: new RegExp(`npx torch-t5 export ${directory} `),
      });
    });
  });

  it("has the same vectors with its encoder in a folder", async () => {
    const expected = await vectorOf();
    await withDirectory(async (directory) => {
      writeSentences(directory, { "modules.json": moduleWith(0, { path: "0_Transformer" }) });
      mkdirSync(join(directory, "0_Transformer"));
      for (const name of ["config.json", "model.safetensors", TRANSFORMER]) {
        renameSync(join(directory, name), join(directory, "0_Transformer", name));
      }
      await using model = await load(directory);
      assert.deepEqual((await model.embed(IDS)).data, expected);
      assert.equal(model.embeddingConfig?.maxSeqLength, 16);
    });
  });

  it("has the same vectors with a dense module in float64, bfloat16 and float16, which are widened", async () => {
    const expected = await vectorOf();
    for (const stored of [
      ofType("F64", Float64Array.from(DENSE_WEIGHT)),
      ofType("BF16", bfloat16),
      ofType("F16", float16),
    ]) {
      assert.deepEqual(await vectorOf({ [WEIGHTS]: dense({ "linear.weight": stored }) }), expected, stored.dtype);
    }
  });

  it("may lack the folder of a module that needs none, and have Dropout, null settings and files of its own", async () => {
    const dropout = { idx: 4, name: "4", path: "4_Dropout", type: "sentence_transformers.models.Dropout" };
    const changes = {
      "modules.json": [...MODULES, dropout],
      [SETTINGS]: { prompts: { query: null }, default_prompt_name: null, model_type: null },
      [TRANSFORMER]: { max_seq_length: null, model_args: {}, tokenizer_args: null },
      "extra.bin": "x",
    };
    assert.deepEqual(await vectorOf(changes), await vectorOf());
  });

  it("is truncated to the tokenizer's length where its encoder states none", async () => {
    await withDirectory(async (directory) => {
      writeSentences(directory, { [TRANSFORMER]: undefined, "tokenizer_config.json": { model_max_length: 7 } });
      await using model = await load(directory);
      assert.equal(model.embeddingConfig?.maxSeqLength, 7);
      writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify({ model_max_length: 1e30 }));
      await using unlimited = await load(directory);
      assert.equal(unlimited.embeddingConfig?.maxSeqLength, undefined);
    });
  });

  it("replaces another one by reload", async () => {
    await withDirectory(async (directory) => {
      writeSentences(directory);
      await using model = await load(directory);
      const other = join(directory, "other");
      mkdirSync(other);
      for (const name of sentenceFiles().keys()) cpSync(join(directory, name), join(other, name));
      writeFileSync(join(other, POOLING), JSON.stringify({ pooling_mode: "max" }));
      await model.reload(other);
      assert.deepEqual(model.embeddingConfig?.pooling, ["max"]);
    });
  });

  for (const { promise, changes, edit, code = "ERR_MODEL_CORRUPT", message } of refused) {
    it(`is refused when it has ${promise}`, () =>
      withDirectory(async (directory) => {
        writeSentences(directory, changes);
        edit?.(directory);
        await assert.rejects(load(directory), { name: "T5Error", code, message });
      }));
  }
});
