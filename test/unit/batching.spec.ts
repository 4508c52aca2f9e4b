import assert from "node:assert/strict";
import { demoModel, type Precision, T5ForConditionalGeneration } from "torch-t5";

const CALLS = 8;
const OPTIONS = { maxNewTokens: 16, eosTokenId: [] };

/** The rows of the largest step while several callers generate. */
async function largestStep(precision: Precision, batching: boolean | undefined): Promise<number> {
  await using t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, {
    device: "cpu",
    intraOpThreads: 1,
    precision,
    batching,
  });
  const expected = [...(await t5.generate("spell number: 7", OPTIONS)).sequences.data];
  let largest = 0;
  const calls = Array.from({ length: CALLS }, async () => {
    const { sequences } = await t5.generate("spell number: 7", OPTIONS);
    largest = Math.max(largest, t5.stats().lastStepRows);
    assert.deepEqual([...sequences.data], expected);
  });
  await Promise.all(calls);
  return largest;
}

describe("batching", () => {
  it("is on by default where it changes no bit, and can be turned off", async () => {
    assert.ok((await largestStep("float32", undefined)) > 1);
    assert.ok((await largestStep("float32", true)) > 1);
    assert.equal(await largestStep("float32", false), 1);
  });

  it("is off for exact", async () => {
    assert.equal(await largestStep("exact", undefined), 1);
    assert.equal(await largestStep("exact", false), 1);
  });

  for (const precision of ["exact", undefined] as const) {
    it(`is refused for ${precision ?? "an export's default precision"}`, async () => {
      const load = T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", precision, batching: true });
      await assert.rejects(load, {
        code: "ERR_INVALID_ARGUMENT",
        message:
          'Expected "float32", "bfloat16" or "int8" with batching ("exact" has the bits of each call alone) ' +
          'for options.precision but received "exact"',
      });
    });
  }

  it("is a boolean", async () => {
    const load = T5ForConditionalGeneration.fromPretrained(demoModel, { batching: 1 } as object);
    await assert.rejects(load, {
      code: "ERR_INVALID_ARGUMENT",
      message: /a boolean for options.batching but received 1/,
    });
  });
});
