import assert from "node:assert/strict";
import { demoModel, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { checkAttention } from "#lib/inputs/memory-limit.js";

const outOfMemory = (error: unknown) =>
  error instanceof T5Error && error.code === "ERR_OUT_OF_MEMORY" && /GB of memory available for /.test(error.message);
const LONG = 2 ** 20;

describe("sequences whose attention needs more memory than any machine has", () => {
  it("are refused before native code runs, for encoder and decoder, and the model stays usable", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1 });
    const long = { data: new Int32Array(LONG).fill(5), shape: [1, LONG] };
    const inputIds = [[5, 1]];
    await assert.rejects(t5.encode("a ".repeat(LONG)), outOfMemory);
    await assert.rejects(t5.forward({ inputIds: long }), outOfMemory);
    await assert.rejects(t5.forward({ inputIds, decoderInputIds: long }), outOfMemory);
    await assert.rejects(t5.forward({ inputIds, labels: long }), outOfMemory);
    await assert.rejects(t5.generate({ inputIds: long }), outOfMemory);
    await assert.rejects(t5.generate({ inputIds, decoderInputIds: long }, { maxNewTokens: 1 }), outOfMemory);
    await assert.rejects(t5.score("a", ["b ".repeat(LONG)]), outOfMemory);
    await assert.rejects(t5.score("a", [[5], new Int32Array(LONG).fill(5)]), outOfMemory);
    await assert.rejects(t5.embed({ inputIds: long }), outOfMemory);
    await assert.rejects((await t5.encode("a")).startDecoding().prefill(long), outOfMemory);
    assert.deepEqual((await t5.encode("a b")).shape.slice(0, 1), [1]);
    await t5.dispose();
  });

  it("are distinguished from those that fit", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1 });
    const model = { config: t5.config, materializesAttention: true };
    checkAttention(64, 4096, model, "text");
    checkAttention(1, 4097, model, "text");
    checkAttention(1, LONG, { ...model, materializesAttention: false }, "text");
    assert.throws(() => checkAttention(1, LONG, model, "text"), outOfMemory);
    await t5.dispose();
  });

  it("are computed by the fused engine, which never has all pairs of positions in memory", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", precision: "float32" });
    const length = 2 ** 13;
    const inputIds = { data: new Int32Array(length).fill(5), shape: [1, length] };
    const before = process.memoryUsage.rss();
    const { shape } = await t5.encode({ inputIds });
    // All pairs of one head would take 256 MB.
    assert.ok(process.memoryUsage.rss() - before < 2 ** 27);
    assert.deepEqual(shape.slice(0, 2), [1, length]);
    await t5.dispose();
  });
});
