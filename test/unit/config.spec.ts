import assert from "node:assert/strict";
import { parseConfig, parseGenerationConfig, readArchitecture } from "#lib/loading/config.js";
import { parseManifest } from "#lib/loading/manifest.js";
import { parseJson } from "#lib/util/json.js";

const sizes = { model_type: "t5", vocab_size: 100, d_model: 8, d_kv: 4, d_ff: 16, num_layers: 2, num_heads: 2 };
const config = { ...sizes, feed_forward_proj: "gated-gelu" };
const architectureOf = (changes: Readonly<Record<string, unknown>>) => {
  const changed = { ...sizes, ...changes };
  return readArchitecture(parseConfig(changed, {}), changed, "float32");
};
const sha256 = "0".repeat(64);
const file = { bytes: 1, sha256 };
const manifest = {
  formatVersion: 1,
  torch: "2.15.0",
  transformers: "5.23.0",
  modelType: "t5",
  architecture: "T5ForConditionalGeneration",
  attention: "sdpa",
  dtype: "float32",
  intraOpThreads: 2,
  files: { "model.pt": file, "config.json": file },
};
const corrupt = (message: RegExp) => ({ name: "T5Error", code: "ERR_MODEL_CORRUPT", message });

describe("config.json", () => {
  it("is read into camelCase, with Hugging Face's defaults", () => {
    const read = parseConfig(config, {});
    assert.equal(read.vocabSize, 100);
    assert.equal(read.numDecoderLayers, 2);
    assert.equal(read.feedForwardProj, "gated-gelu");
    assert.deepEqual([read.padTokenId, read.eosTokenId, read.decoderStartTokenId], [0, 1, 0]);
    assert.ok(Object.isFrozen(read));
  });

  it("has the decoder start id, which wins over generation_config.json and the pad id", () => {
    const generation = parseGenerationConfig({ decoder_start_token_id: 5 });
    assert.equal(parseConfig({ ...config, decoder_start_token_id: 4 }, generation).decoderStartTokenId, 4);
    assert.equal(parseConfig(config, generation).decoderStartTokenId, 5);
    assert.equal(parseConfig({ ...config, pad_token_id: 3 }, {}).decoderStartTokenId, 3);
  });

  it("may have several end-of-sequence ids, of which the first is used", () => {
    assert.equal(parseConfig({ ...config, eos_token_id: [7, 8] }, {}).eosTokenId, 7);
  });

  const wrong: readonly (readonly [promise: string, value: unknown, message: RegExp])[] = [
    ["no object", 3, /a JSON object for config.json but received 3/],
    ["another architecture", { ...config, model_type: "bart" }, /one of t5, mt5, umt5 for model_type .* "bart"/],
    ["no vocabulary", { ...config, vocab_size: undefined }, /a positive integer for vocab_size .* undefined/],
    ["a string as a size", { ...config, d_model: "8" }, /for d_model in config.json but received "8"/],
    ["no layers", { ...config, num_layers: 0 }, /for num_layers/],
    ["a pad id out of range", { ...config, pad_token_id: 100 }, /from 0 to 99 for pad_token_id .* 100/],
    ["a negative start id", { ...config, decoder_start_token_id: -1 }, /decoder_start_token_id .* -1/],
  ];
  for (const [promise, value, message] of wrong) {
    it(`is refused with ${promise}`, () => assert.throws(() => parseConfig(value, {}), corrupt(message)));
  }
});

describe("the architecture that the fused engine receives", () => {
  it("is that of the configuration, with Hugging Face's defaults", () => {
    assert.deepEqual(architectureOf({}), {
      dModel: 8,
      dKv: 4,
      dFf: 16,
      numLayers: 2,
      numDecoderLayers: 2,
      numHeads: 2,
      vocabSize: 100,
      relativeAttentionNumBuckets: 32,
      relativeAttentionMaxDistance: 128,
      layerNormEpsilon: 1e-6,
      activation: "relu",
      isGated: false,
      hasBiasPerLayer: false,
      scalesDecoderOutputs: true,
    });
    assert.equal(architectureOf({ num_decoder_layers: 1 }).numDecoderLayers, 1);
  });

  // As transformers 5.23 reads each file: dense_act_fn and is_gated_act of T5Config, MT5Config and UMT5Config.
  const feedForwards: readonly (readonly [file: Readonly<Record<string, unknown>>, name: string, isGated: boolean])[] =
    [
      [{ feed_forward_proj: "relu" }, "relu", false],
      [{ feed_forward_proj: "gated-gelu" }, "gelu_new", true],
      [{ feed_forward_proj: "gelu" }, "gelu", false],
      [{ feed_forward_proj: "gelu_new" }, "gelu_new", false],
      [{ feed_forward_proj: "gated-silu" }, "silu", true],
      [{ feed_forward_proj: "gated-swish" }, "silu", true],
      [{ feed_forward_proj: "gated-relu" }, "relu", true],
      [{ feed_forward_proj: "gelu_pytorch_tanh" }, "gelu_new", false],
      [{ feed_forward_proj: "gated-gelu", dense_act_fn: "gelu" }, "gelu", true],
      [{ feed_forward_proj: "relu", dense_act_fn: "silu", is_gated_act: true }, "silu", true],
      [{ model_type: "mt5" }, "gelu_new", true],
      [{ model_type: "umt5" }, "gelu_new", true],
    ];
  for (const [file, name, isGated] of feedForwards) {
    it(`has the feed-forward layer of ${JSON.stringify(file)}`, () => {
      const { activation, isGated: found } = architectureOf(file);
      assert.deepEqual([activation, found], [name, isGated]);
    });
  }

  const scalings: readonly (readonly [file: Readonly<Record<string, unknown>>, scales: boolean])[] = [
    [{ scale_decoder_outputs: false }, false],
    [{ scale_decoder_outputs: true, tie_word_embeddings: false }, true],
    [{ tie_word_embeddings: false }, false],
    [{ tie_word_embeddings: null }, true],
    [{ model_type: "mt5", scale_decoder_outputs: true }, false],
    [{ model_type: "umt5", tie_word_embeddings: false }, true],
  ];
  for (const [file, scales] of scalings) {
    it(`${scales ? "scales" : "does not scale"} the decoder's output for ${JSON.stringify(file)}`, () => {
      assert.equal(architectureOf(file).scalesDecoderOutputs, scales);
    });
  }

  it("has a position bias in every layer only for UMT5", () => {
    const types = ["t5", "mt5", "umt5"];
    assert.deepEqual(
      types.map((model_type) => architectureOf({ model_type }).hasBiasPerLayer),
      [false, false, true],
    );
  });

  it("is refused with the precision's name where the fused engine lacks the activation", () => {
    assert.throws(() => architectureOf({ feed_forward_proj: "gated-mish" }), {
      code: "ERR_INVALID_ARGUMENT",
      message: /^Expected "exact", the only one that has the activation "mish", for options.precision .* "float32"$/,
    });
  });

  const wrong: readonly (readonly [file: Readonly<Record<string, unknown>>, message: RegExp])[] = [
    [{ d_ff: 2 ** 31 }, /from 1 to 2147483647 for d_ff in config.json but received 2147483648/],
    [{ layer_norm_epsilon: -1 }, /at least 0 for layer_norm_epsilon in config.json but received -1/],
    [{ relative_attention_num_buckets: 3 }, /at least 4 for relative_attention_num_buckets .* received 3/],
    [{ relative_attention_max_distance: 16 }, /at least 17 for relative_attention_max_distance .* received 16/],
    [{ feed_forward_proj: "gated-gelu-new" }, /"gated-<activation>" for feed_forward_proj .* "gated-gelu-new"/],
    [{ feed_forward_proj: "open-gelu" }, /for feed_forward_proj .* "open-gelu"/],
    [{ is_gated_act: "no" }, /a boolean for is_gated_act in config.json but received "no"/],
    [{ scale_decoder_outputs: 1 }, /a boolean for scale_decoder_outputs in config.json but received 1/],
  ];
  for (const [file, message] of wrong) {
    it(`is refused as corrupt for ${JSON.stringify(file)}`, () => {
      assert.throws(() => architectureOf(file), { code: "ERR_MODEL_CORRUPT", message });
    });
  }
});

describe("generation_config.json", () => {
  it("is read into camelCase, and is empty where the file is absent", () => {
    assert.deepEqual(parseGenerationConfig({ max_new_tokens: 3, top_k: 5 }), { maxNewTokens: 3, topK: 5 });
    assert.deepEqual(parseGenerationConfig(undefined), {});
  });
});

describe("a JSON file", () => {
  it("is refused with its first characters when it isn't JSON", () => {
    assert.throws(
      () => parseJson("{ nonsense", "config.json"),
      corrupt(/JSON for config.json but received "\{ nonsense"/),
    );
  });
});

describe("manifest.json", () => {
  it("is read with the size and the hash of every file", () => {
    const read = parseManifest(manifest);
    assert.equal(read.torch, "2.15.0");
    assert.deepEqual({ ...read.files["model.pt"] }, file);
  });

  const withFiles = (files: unknown) => ({ ...manifest, files });
  const wrong: readonly (readonly [promise: string, value: unknown, message: RegExp])[] = [
    ["no object", null, /a JSON object for manifest.json but received null/],
    ["another format version", { ...manifest, formatVersion: 2 }, /Expected 1, .*export the model again.* received 2/],
    ["no format version", { ...manifest, formatVersion: undefined }, /formatVersion .* undefined/],
    ["no torch version", { ...manifest, torch: "" }, /a string for torch in manifest.json/],
    ["another dtype", { ...manifest, dtype: "float16" }, /float32 for dtype .* "float16"/],
    ["no thread count", { ...manifest, intraOpThreads: 0 }, /intraOpThreads/],
    ["no files", withFiles(undefined), /for files in manifest.json but received undefined/],
    ["no model.pt", withFiles({ "config.json": file }), /Expected model.pt for the files/],
    ["no config.json", withFiles({ "model.pt": file }), /Expected config.json for the files/],
    ["a negative size", withFiles({ ...manifest.files, a: { bytes: -1, sha256 } }), /a byte count for bytes .* -1/],
    ["a malformed hash", withFiles({ ...manifest.files, a: { bytes: 1, sha256: "0" } }), /a SHA-256 for sha256/],
    ...["../a", "/a", "a/../b", "a//b", ".", "", "c:/a", "a\\b"].map(
      (path) =>
        [`the path ${JSON.stringify(path)}`, withFiles({ ...manifest.files, [path]: file }), /a path inside/] as const,
    ),
  ];
  for (const [promise, value, message] of wrong) {
    it(`is refused with ${promise}`, () => assert.throws(() => parseManifest(value), corrupt(message)));
  }

  it("can't change the prototype of objects", () => {
    const files = JSON.parse(`{"__proto__": {"bytes": 1, "sha256": "${sha256}"}}`);
    assert.throws(() => parseManifest(withFiles(files)), corrupt(/Expected model.pt/));
    assert.equal(Object.hasOwn(Object.prototype, "bytes"), false);
  });
});
