import assert from "node:assert/strict";
import { demoModel, type Precision, T5ForConditionalGeneration } from "torch-t5";
import { changeConfig, withModelCopy } from "../support/directory.js";

const FUSED = ["float32", "bfloat16", "int8"] as const;
const load = (directory: string, precision: Precision, options = {}) =>
  T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: 1, precision, ...options });
const input = { inputIds: [[5, 6, 7, 8, 1]], decoderInputIds: [[0, 9, 10]] };

describe("a precision", () => {
  for (const precision of FUSED) {
    it(`${precision} is the precision of the loaded model, with and without batchInvariant`, async () => {
      const bits: Float32Array[] = [];
      for (const batchInvariant of [undefined, true, false]) {
        await using t5 = await load(demoModel, precision, { batchInvariant });
        assert.deepEqual([t5.precision, t5.device], [precision, "cpu"]);
        const { logits } = await t5.forward(input);
        assert.ok(logits.data.every(Number.isFinite));
        bits.push(logits.data);
      }
      const [first, ...others] = bits;
      for (const other of others) assert.deepEqual(other, first);
    });
  }

  it('of int8 makes the device "auto" the CPU', async () => {
    await using t5 = await load(demoModel, "int8", { device: "auto" });
    assert.equal(t5.device, "cpu");
  });

  it('with batchInvariant makes the device "auto" the CPU', async () => {
    await using t5 = await load(demoModel, "float32", { device: "auto", batchInvariant: true });
    assert.equal(t5.device, "cpu");
  });

  it("has different bits from the others", async () => {
    const bits = new Set<string>();
    for (const precision of ["exact", ...FUSED] as const) {
      await using t5 = await load(demoModel, precision);
      bits.add((await t5.forward(input)).logits.data.join());
    }
    assert.equal(bits.size, 1 + FUSED.length);
  });
});

describe("the fused engine, where config.json contradicts the weights", () => {
  // The sizes of the embedded model: 399 tokens, d_model 128, d_ff 256, 4 heads of 32, 3 and 2 layers, 32 buckets.
  const changes: readonly Readonly<Record<string, unknown>>[] = [
    { d_model: 64 },
    { d_model: 256 },
    { d_kv: 16 },
    { d_ff: 257 },
    { num_layers: 2 },
    { num_layers: 4 },
    { num_layers: 2 ** 31 - 1 },
    { num_decoder_layers: 1 },
    { num_decoder_layers: 3 },
    { num_heads: 2 },
    { num_heads: 8, d_kv: 16 },
    { num_heads: 2 ** 31 - 1, d_kv: 2 ** 31 - 1 },
    { vocab_size: 400 },
    { vocab_size: 2 ** 31 - 1 },
    { relative_attention_num_buckets: 16 },
    { relative_attention_max_distance: 16 },
    { is_gated_act: true },
    { model_type: "umt5" },
  ];
  for (const change of changes) {
    it(`is refused with ${JSON.stringify(change)}, and exact, which doesn't read it, loads`, async () => {
      await withModelCopy(async (directory) => {
        changeConfig(directory, change);
        for (const precision of FUSED) {
          const refused = { name: "T5Error", code: "ERR_MODEL_CORRUPT", message: /^Expected .* but received / };
          await assert.rejects(load(directory, precision), refused, precision);
        }
        await (await load(directory, "exact")).dispose();
      });
    });
  }

  it("is refused with an activation that the engine lacks", async () => {
    await withModelCopy(async (directory) => {
      changeConfig(directory, { dense_act_fn: "mish" });
      await assert.rejects(load(directory, "float32"), { name: "T5Error", code: "ERR_INVALID_ARGUMENT" });
      await (await load(directory, "exact")).dispose();
    });
  });
});
