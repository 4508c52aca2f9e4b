import assert from "node:assert/strict";
import { parseConfig, readArchitecture } from "#lib/loading/config.js";

const t5 = { model_type: "t5", vocab_size: 100, d_model: 8, d_kv: 4, d_ff: 16, num_layers: 2, num_heads: 2 };
const read = (file: Readonly<Record<string, unknown>>) => readArchitecture(parseConfig(file, {}), file, "float32");

describe("the architecture that the fused engine receives", () => {
  it("is that of the configuration, with Hugging Face's defaults", () => {
    assert.deepEqual(read(t5), {
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
    assert.equal(read({ ...t5, num_decoder_layers: 1 }).numDecoderLayers, 1);
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
      const { activation, isGated: found } = read({ ...t5, ...file });
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
      assert.equal(read({ ...t5, ...file }).scalesDecoderOutputs, scales);
    });
  }

  it("has a position bias in every layer only for UMT5", () => {
    const types = ["t5", "mt5", "umt5"];
    assert.deepEqual(
      types.map((model_type) => read({ ...t5, model_type }).hasBiasPerLayer),
      [false, false, true],
    );
  });

  it("is refused with the precision's name where the fused engine lacks the activation", () => {
    assert.throws(() => read({ ...t5, feed_forward_proj: "gated-mish" }), {
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
      assert.throws(() => read({ ...t5, ...file }), { code: "ERR_MODEL_CORRUPT", message });
    });
  }
});
