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

    it("of several rows has the tokens, the texts and the ends of generate for each", async () => {
      const batch = fc.array(text, { minLength: 2, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(batch, strategy, fc.integer({ min: 1, max: 3 }), async (input, options, count) => {
          const all = options.doSample ? { ...options, numReturnSequences: count } : options;
          const { sequences, texts, finishReasons, lengths } = await model().generate(input, all);
          const found = finishReasons.map(() => ({ ids: [] as number[], text: "", reasons: [] as string[] }));
          for await (const { row, tokenId, text: piece, finishReason } of model().stream(input, all)) {
            const at = found[row];
            assert.ok(at !== undefined && at.reasons.length === 0, "a row goes on after its end");
            at.ids.push(tokenId);
            at.text += piece;
            if (finishReason !== undefined) at.reasons.push(finishReason);
          }
          const expected = finishReasons.map((reason, row) => ({
            ids: [...sequences.row(row)].slice(1, 1 + (lengths[row] ?? 0)),
            text: texts?.[row],
            reasons: [reason],
          }));
          assert.deepEqual(found, expected);
        }),
        { numRuns: RUNS / 3 },
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
