import assert from "node:assert/strict";
import fc from "fast-check";
import { T5Error } from "torch-t5";
import { useModel } from "../support/model.js";
import { junk } from "./junk.js";

const RUNS = 400;

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: "binary", maxLength: 40 }));
const documents = fc.oneof(
  { weight: 9, arbitrary: fc.array(text, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(fc.oneof(text, junk), { maxLength: 3 }) },
  { weight: 1, arbitrary: junk },
);
const templates: readonly unknown[] = [
  undefined,
  "{query}{document}{document0}{document1}",
  '"{document}" {query} {document0}-{document1}',
  (query: string, ...others: string[]) => `${others.join(" | ")} ${query}`,
  (query: string, ...others: string[]) => `${query} ${others.map((other) => other.trim()).join("")}`,
];
const options = fc.record(
  {
    pairwise: fc.oneof({ weight: 9, arbitrary: fc.boolean() }, { weight: 1, arbitrary: junk }),
    template: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...templates) }, { weight: 1, arbitrary: junk }),
    maxLength: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 60 }) }, { weight: 1, arbitrary: junk }),
    trueToken: fc.oneof({ weight: 9, arbitrary: fc.constantFrom("▁", "▁true", 7) }, { weight: 1, arbitrary: junk }),
    batchSize: fc.integer({ min: 1, max: 5 }),
    topN: fc.integer({ min: 1, max: 5 }),
  },
  { requiredKeys: [] },
);

describe("rerank, with random arguments,", () => {
  const model = useModel();

  it("resolves to ranked documents or rejects with a T5Error, and the model stays usable", async () => {
    let [resolved, truncating] = [0, 0];
    await fc.assert(
      fc.asyncProperty(text, documents, options, async (query, given, chosen) => {
        try {
          const ranked = await model().rerank(query, given as never, chosen as never);
          resolved++;
          let best = Number.POSITIVE_INFINITY;
          const { maxLength, topN = Number.POSITIVE_INFINITY } = chosen;
          for (const { index, document, probability, truncated } of ranked) {
            assert.equal(document, [...(given as string[])][index]);
            assert.ok(probability >= 0 && probability <= 1 && probability <= best);
            assert.equal(typeof truncated, maxLength === undefined ? "undefined" : "boolean");
            if (truncated) truncating++;
            best = probability;
          }
          assert.equal(new Set(ranked.map(({ index }) => index)).size, ranked.length);
          assert.equal(ranked.length, Math.min([...(given as string[])].length, topN));
        } catch (error) {
          assert.ok(error instanceof T5Error, String(error));
          assert.ok(error.code === "ERR_INVALID_ARGUMENT" || error.code === "ERR_TOKEN_OUT_OF_RANGE", error.message);
          assert.match(error.message, /^Expected .* (but|for) /);
        }
      }),
      { numRuns: RUNS },
    );
    assert.ok(resolved > RUNS / 4, `only ${resolved} of the random arguments were accepted`);
    assert.ok(truncating > 0, "no document was truncated");
    assert.equal((await model().rerank("a", ["b"])).length, 1);
  });
});
