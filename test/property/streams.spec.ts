import assert from "node:assert/strict";
import fc from "fast-check";
import type { GenerateOptions } from "torch-t5";
import { PRECISIONS, useModel } from "../support/model.js";
import { strategy, text } from "./arbitraries.js";

const RUNS = 150;

for (const precision of PRECISIONS) {
  describe(`a stream, in ${precision}`, () => {
    const model = useModel({ precision });

    const generateOne = async (input: string, options: GenerateOptions) => {
      const { sequences, texts, logits } = await model().generate(input, { ...options, returnLogits: true });
      assert.equal(sequences.shape[0], 1);
      return { ids: [...sequences.row(0)].slice(1), text: texts?.[0], logits: logits ?? [] };
    };

    it("has the tokens, the text and the logits of generate", async () => {
      await fc.assert(
        fc.asyncProperty(text, strategy, async (input, options) => {
          const expected = await generateOne(input, options);
          const ids: number[] = [];
          let joined = "";
          for await (const piece of model().stream(input, { ...options, returnLogits: true })) {
            const logits = expected.logits[ids.length];
            assert.deepEqual([...piece.logits.shape], [1, model().config.vocabSize]);
            assert.ok(
              Buffer.from(piece.logits.data.buffer).equals(Buffer.from(logits?.data.buffer ?? new ArrayBuffer(0))),
            );
            ids.push(piece.tokenId);
            joined += piece.text;
          }
          assert.deepEqual(ids, expected.ids);
          assert.equal(joined, expected.text);
        }),
        { numRuns: RUNS },
      );
    });

    it("has the first tokens of generate when it is broken out of, and another stream continues", async () => {
      await fc.assert(
        fc.asyncProperty(text, strategy, fc.integer({ min: 1, max: 6 }), async (input, options, max) => {
          const expected = await generateOne(input, options);
          const another = model().stream(input, options);
          const ids: number[] = [];
          for await (const { tokenId } of model().stream(input, options)) {
            ids.push(tokenId);
            if (ids.length === max) break;
          }
          assert.deepEqual(ids, expected.ids.slice(0, max));
          const others: number[] = [];
          for await (const { tokenId } of another) others.push(tokenId);
          assert.deepEqual(others, expected.ids);
        }),
        { numRuns: RUNS },
      );
    });
  });
}
