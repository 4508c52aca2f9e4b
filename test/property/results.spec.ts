import assert from "node:assert/strict";
import fc from "fast-check";
import { PRECISIONS, useModel } from "../support/model.js";
import { search, text } from "./arbitraries.js";

const RUNS = 120;
/**
 * Both relative and absolute. `score` decodes all targets as one padded batch, `forward` decodes them one at a time,
 * and the last bits of a matrix product depend on the size of the batch. Measured: below 1e-6.
 */
const TOLERANCE = 1e-5;

for (const precision of PRECISIONS) {
  describe(`two ways to compute the same result agree, in ${precision}`, () => {
    const model = useModel({ precision });

    it("score is the sum of the log-softmax of forward's logits at the target's ids", async () => {
      const targets = fc.array(fc.array(fc.nat(398), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(text, targets, fc.integer({ min: 1, max: 6 }), async (source, ids, batchSize) => {
          const scores = await model().score(source, ids, { batchSize });
          for (const [index, target] of ids.entries()) {
            const { logits } = await model().forward({ ...encode(source), labels: [target] });
            const logProbs = logits.logSoftmax();
            const sum = target.reduce((total, id, at) => total + (logProbs.row(0, at)[id] ?? Number.NaN), 0);
            const score = scores[index]?.score ?? Number.NaN;
            assert.ok(Math.abs(score - sum) <= TOLERANCE * (1 + Math.abs(sum)), `${score} instead of ${sum}`);
          }
        }),
        { numRuns: RUNS },
      );
    });

    it("generate on an encoder output gives what generate on its text gives, each time", async () => {
      const texts = fc.array(text, { minLength: 1, maxLength: 3 });
      await fc.assert(
        fc.asyncProperty(texts, search, async (source, options) => {
          const asked = { ...options, returnLogits: true, returnScores: true };
          const expected = await model().generate(source, asked);
          using encoded = await model().encode(source);
          for (const received of [
            await model().generate(encoded, asked),
            await model().generate({ encoderOutput: encoded }, asked),
          ]) {
            assert.deepEqual(received.sequences, expected.sequences);
            assert.deepEqual(received.texts, expected.texts);
            assert.deepEqual(
              received.logits?.map(({ data }) => data),
              expected.logits?.map(({ data }) => data),
            );
            assert.deepEqual(
              received.scores?.map(({ data }) => data),
              expected.scores?.map(({ data }) => data),
            );
            assert.deepEqual(received.sequenceScores?.data, expected.sequenceScores?.data);
            assert.deepEqual(received.beamIndices?.data, expected.beamIndices?.data);
          }
        }),
        { numRuns: RUNS },
      );
    });

    it("the seed determines what is sampled, also while other calls run", async () => {
      await fc.assert(
        fc.asyncProperty(text, fc.nat(), async (source, seed) => {
          const options = { doSample: true, temperature: 2, maxNewTokens: 8, seed };
          const [first, other, second] = await Promise.all([
            model().generate(source, options),
            model().generate(source, { doSample: true, maxNewTokens: 8 }),
            model().generate(source, options),
          ]);
          assert.deepEqual([...first.sequences.data], [...second.sequences.data]);
          assert.equal(other.sequences.shape[0], 1);
        }),
        { numRuns: RUNS },
      );
    });

    it("embed of a text is the mean of its encoder states", async () => {
      await fc.assert(
        fc.asyncProperty(text, async (source) => {
          const { shape, data } = await model().embed(source);
          const { encoderLastHiddenState: state } = await model().forward(source, { hiddenStates: true });
          const [, length = 0, width = 0] = state.shape;
          assert.deepEqual([...shape], [1, width]);
          for (const [at, value] of data.entries()) {
            let sum = 0;
            for (let position = 0; position < length; position++) sum += state.row(0, position)[at] ?? Number.NaN;
            assert.ok(Math.abs(sum / length - value) <= TOLERANCE * (1 + Math.abs(value)), `dimension ${at}`);
          }
        }),
        { numRuns: RUNS },
      );
    });

    function encode(source: string): { readonly inputIds: Int32Array; readonly shape: readonly number[] } {
      const { tokenizer } = model();
      assert.ok(tokenizer !== undefined);
      const { inputIds, shape } = tokenizer.encodeBatch([source]);
      return { inputIds, shape };
    }
  });
}
