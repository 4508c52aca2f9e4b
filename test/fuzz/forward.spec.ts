import assert from "node:assert/strict";
import fc from "fast-check";
import { T5Error } from "torch-t5";
import { useModel } from "../support/model.js";
import { junk } from "./junk.js";

const RUNS = 1500;

const id = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 0, max: 150 }) }, { weight: 1, arbitrary: junk });
const row = fc.array(id, { maxLength: 4 });
const flat = fc.record({
  data: fc.oneof(fc.int32Array({ min: -2, max: 150, maxLength: 6 }), fc.bigInt64Array({ maxLength: 6 }), junk),
  shape: fc.oneof(fc.tuple(fc.nat(3), fc.nat(3)), junk),
});
const ids = fc.oneof(fc.array(row, { maxLength: 3 }), flat, junk);
const text = fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 3 }), junk);
const input = fc.oneof(
  junk,
  text,
  fc.record(
    {
      text,
      target: text,
      inputIds: ids,
      attentionMask: ids,
      shape: junk,
      labels: ids,
      decoderInputIds: ids,
      other: junk,
    },
    { requiredKeys: [] },
  ),
  fc.record({ text, maxLength: fc.oneof(fc.integer({ min: -1, max: 9 }), junk) }),
  fc.record({ text, truncation: fc.oneof(fc.boolean(), junk) }),
  fc.record({ inputIds: fc.constant([[5, 6, 1]]), attentionMask: ids, labels: ids }, { requiredKeys: ["inputIds"] }),
);
const options = fc.oneof(
  fc.constant(undefined),
  junk,
  fc.record(
    {
      positions: fc.oneof(fc.constant("last"), row, junk),
      tokens: fc.oneof(row, junk),
      topK: fc.oneof(fc.nat(200), junk),
      hiddenStates: fc.oneof(fc.boolean(), junk),
      outputHiddenStates: fc.oneof(fc.boolean(), junk),
      outputAttentions: fc.oneof(fc.boolean(), junk),
      loss: fc.oneof(fc.boolean(), junk),
      signal: fc.oneof(fc.constant(undefined), junk),
    },
    { requiredKeys: [] },
  ),
);

describe("forward, with random arguments,", () => {
  const model = useModel();

  it("resolves to numbers or rejects with a T5Error, and the model stays usable", async () => {
    let resolved = 0;
    await fc.assert(
      fc.asyncProperty(input, options, async (anyInput, anyOptions) => {
        try {
          const result = await model().forward(anyInput as never, anyOptions as never);
          resolved++;
          assert.ok("logits" in result || "values" in result);
        } catch (error) {
          assert.ok(error instanceof T5Error, String(error));
          assert.ok(error.code === "ERR_INVALID_ARGUMENT" || error.code === "ERR_TOKEN_OUT_OF_RANGE", error.message);
          assert.match(error.message, /^Expected .* (but|for) /);
        }
      }),
      { numRuns: RUNS },
    );
    assert.ok(resolved > 0, "none of the random arguments was accepted");
    assert.equal((await model().forward("a")).logits.shape[0], 1);
  });
});
