import assert from "node:assert/strict";
import { demoModel, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { checkSequences } from "#lib/inputs/memory-limit.js";

const outOfMemory = (error: unknown) =>
  error instanceof T5Error && error.code === "ERR_OUT_OF_MEMORY" && /GB of memory available for /.test(error.message);
const LONG = 2 ** 20;

describe("sequences whose attention needs more memory than any machine has", () => {
  it("are refused before native code runs, for encoder and decoder, and the model stays usable", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, {
      device: "cpu",
      intraOpThreads: 1,
      maxInputTokens: 4 * LONG,
    });
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
    const model = { config: t5.config, materializesAttention: true, limits: { maxInputTokens: LONG } };
    checkSequences(64, 4096, model, "text");
    checkSequences(1, 4097, model, "text");
    checkSequences(1, LONG, { ...model, materializesAttention: false }, "text");
    assert.throws(() => checkSequences(1, LONG, model, "text"), outOfMemory);
    await t5.dispose();
  });

  it("are refused by their length alone in every precision: more ids per row than maxInputTokens", async () => {
    const options = { device: "cpu", precision: "float32" } as const;
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { ...options, maxInputTokens: 6 });
    const tooLong = {
      code: "ERR_INVALID_ARGUMENT",
      message: /at most 6 ids per row \(the load option maxInputTokens\) for \w+(\[1\])? but received 7/,
    };
    const long = [[5, 6, 7, 8, 9, 10, 1]];
    const inputIds = [[5, 6, 7, 8, 9, 1]];
    await assert.rejects(t5.forward({ inputIds: long }), tooLong);
    await assert.rejects(t5.forward({ inputIds, decoderInputIds: long }), tooLong);
    await assert.rejects(t5.generate({ inputIds: long }), tooLong);
    await assert.rejects(t5.embed({ inputIds: long }), tooLong);
    await assert.rejects(t5.score({ inputIds }, [long[0] ?? []]), tooLong);
    await assert.rejects(t5.embed("spell number: 48213 90"), { ...tooLong, message: /maxInputTokens/ });
    assert.deepEqual((await t5.embed({ text: "spell number: 48213 90", maxLength: 6 })).shape.slice(0, 1), [1]);
    assert.deepEqual((await t5.forward({ inputIds, decoderInputIds: inputIds })).logits.shape.slice(0, 2), [1, 6]);
    assert.equal(t5.stats().limits.maxInputTokens, 6);
    await t5.dispose();
    const unlimited = await T5ForConditionalGeneration.fromPretrained(demoModel, options);
    await assert.rejects(unlimited.embed("a ".repeat(40_000)), { message: /at most 32768 ids per row/ });
    await unlimited.dispose();
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
