import assert from "node:assert/strict";
import { demoModel, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { checkAttention } from "#lib/memory.js";

const outOfMemory = (error: unknown) =>
  error instanceof T5Error && error.code === "ERR_OUT_OF_MEMORY" && /GB of memory available for /.test(error.message);
const LONG = 2 ** 20;

describe("sequences whose attention no machine has the memory for", () => {
  it("are refused before anything native runs, for every stack, and the model keeps serving", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1 });
    const long = { data: new Int32Array(LONG).fill(5), shape: [1, LONG] };
    const inputIds = [[5, 1]];
    await assert.rejects(t5.encode("a ".repeat(LONG)), outOfMemory);
    await assert.rejects(t5.forward({ inputIds: long }), outOfMemory);
    await assert.rejects(t5.forward({ inputIds, decoderInputIds: long }), outOfMemory);
    await assert.rejects(t5.forward({ inputIds, labels: long }), outOfMemory);
    await assert.rejects(t5.generate({ inputIds: long }), outOfMemory);
    await assert.rejects(t5.score("a", ["b ".repeat(LONG)]), outOfMemory);
    await assert.rejects(t5.embed({ inputIds: long }), outOfMemory);
    await assert.rejects((await t5.encode("a")).startDecoding().prefill(long), outOfMemory);
    assert.deepEqual((await t5.encode("a b")).shape.slice(0, 1), [1]);
    await t5.dispose();
  });

  it("are told from those that fit", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1 });
    checkAttention(64, 4096, t5.config, "text");
    checkAttention(1, 4097, t5.config, "text");
    assert.throws(() => checkAttention(1, LONG, t5.config, "text"), outOfMemory);
    await t5.dispose();
  });
});
