import assert from "node:assert/strict";
import type { GenerateOptions } from "torch-t5";
import { PRECISIONS, useModel } from "../support/model.js";

const text = "spell number: 48213";
const texts = [text, "spell number: 7"];

for (const precision of PRECISIONS) {
  describe(`logProbs, in ${precision}`, () => {
    const model = useModel({ precision });

    it("are those of score for a single token, and of the ids of topK in forward", async () => {
      const options = { maxNewTokens: 1, logProbs: 3 } as const;
      const { sequences, logProbs, topLogProbs } = await model().generate(texts, options);
      const { indices } = await model().forward(texts, { topK: 3 });
      assert.deepEqual(topLogProbs.indices.data, indices.data);
      for (const [row, source] of texts.entries()) {
        const ids = [sequences.row(row)[1] ?? -1, ...topLogProbs.indices.row(row, 0)];
        const received = [logProbs.data[row], ...topLogProbs.values.row(row, 0)];
        // `forward` and `score` compute the rows of a batch together: one at a time, their bits are those of one row.
        const { logits } = await model().forward(texts, { positions: "last" });
        const wanted = logits.logSoftmax().row(row, 0);
        for (const [rank, id] of ids.entries()) {
          // JavaScript adds exponentials in float64, libtorch in float32.
          assert.ok(Math.abs((received[rank] ?? Number.NaN) - (wanted[id] ?? Number.NaN)) < 1e-5);
        }
        if (precision === "exact") continue; // whose bits depend on the number of rows
        const scored = await model().score(
          source,
          ids.map((id) => [id]),
        );
        assert.deepEqual(
          scored.map((target) => target.logProbs[0]),
          received,
        );
      }
    });

    it("are the same in generate and stream, and change no token", async () => {
      const plain = await model().generate(texts);
      const { sequences, lengths, logProbs, topLogProbs } = await model().generate(texts, { logProbs: 2 });
      assert.deepEqual(sequences.data, plain.sequences.data);
      assert.deepEqual(lengths, plain.lengths);
      const steps = [0, 0];
      for await (const { row, tokenId, logProb, topLogProbs: top } of model().stream(texts, { logProbs: 2 })) {
        const step = steps[row] ?? 0;
        steps[row] = step + 1;
        assert.equal(tokenId, sequences.row(row)[step + 1]);
        assert.equal(logProb, logProbs.row(row)[step]);
        assert.deepEqual(
          top.map((each) => [each.tokenId, each.logProb]),
          [0, 1].map((rank) => [topLogProbs.indices.row(row, step)[rank], topLogProbs.values.row(row, step)[rank]]),
        );
      }
      assert.deepEqual(steps, lengths);
    });
  });
}

describe("logProbs", () => {
  const model = useModel({ precision: "float32" });

  it("are 0 after the end of a row, and its best ids -1, so that a row's sum is that of the sequence", async () => {
    const { lengths, sequences, logProbs, topLogProbs } = await model().generate(texts, { logProbs: 1 });
    const [long = 0, short = 0] = lengths;
    assert.ok(short < long);
    assert.deepEqual([...logProbs.row(1).subarray(short)], Array(long - short).fill(0));
    assert.deepEqual([...topLogProbs.values.row(1).subarray(short)], Array(long - short).fill(0));
    assert.deepEqual([...topLogProbs.indices.row(1).subarray(short)], Array(long - short).fill(-1));
    assert.ok([...topLogProbs.indices.row(1).subarray(0, short)].every((id) => id >= 0));
    const [scored] = await model().score(texts[1] ?? "", [[...sequences.row(1).subarray(1, short + 1)]]);
    const sum = logProbs.row(1).reduce((total, logProb) => total + logProb, 0);
    // Two orders of the same additions, of a decoder that reads the ids at once and one by one.
    assert.ok(Math.abs(sum - (scored?.score ?? Number.NaN)) < 1e-4);
  });

  it("have no best tokens with 0, and all tokens with the size of the vocabulary", async () => {
    const { vocabSize } = model().config;
    const none = await model().generate(text, { logProbs: 0, maxNewTokens: 2 });
    assert.deepEqual(none.topLogProbs.values.shape, [1, 2, 0]);
    assert.deepEqual(none.topLogProbs.indices.shape, [1, 2, 0]);
    const { value: first } = await model().stream(text, { logProbs: 0 }).next();
    assert.ok(first !== undefined && first.logProb < 0 && first.topLogProbs.length === 0);
    const { logProbs, topLogProbs } = await model().generate(text, { logProbs: vocabSize, maxNewTokens: 2 });
    assert.deepEqual(logProbs.data, none.logProbs.data);
    for (const step of [0, 1]) {
      assert.equal(new Set(topLogProbs.indices.row(0, step)).size, vocabSize);
      const total = topLogProbs.values.row(0, step).reduce((sum, logProb) => sum + Math.exp(logProb), 0);
      assert.ok(Math.abs(total - 1) < 1e-4, "the rounding of some hundred float32 numbers");
    }
  });

  for (const [name, options] of Object.entries<GenerateOptions>({
    "logits processors": { suppressTokens: [68], repetitionPenalty: 2, forcedBosTokenId: 9 },
    sampling: { doSample: true, seed: 1, temperature: 0.3, topK: 5, topP: 0.9 },
    "a processor of the caller's": { logitsProcessor: ({ logits }) => void logits.row(0).fill(100, 70, 71) },
  })) {
    it(`are of the raw logits, before ${name}`, async () => {
      const given = { ...options, maxNewTokens: 3, eosTokenId: [] };
      const { logits, sequences } = await model().generate(text, { ...given, returnLogits: true });
      const all = { ...given, logProbs: 2, returnLogits: true, returnScores: true };
      const { logProbs, topLogProbs, ...others } = await model().generate(text, all);
      assert.deepEqual(others.sequences.data, sequences.data);
      const streamed: number[] = [];
      for await (const { logProb } of model().stream(text, { ...given, logProbs: 0 })) streamed.push(logProb);
      assert.deepEqual(streamed, [...logProbs.data]);
      for (const [step, raw] of logits.entries()) {
        const wanted = raw.logSoftmax().data;
        const found = logProbs.data[step] ?? Number.NaN;
        // JavaScript adds exponentials in float64, libtorch in float32.
        assert.ok(Math.abs(found - (wanted[sequences.row(0)[step + 1] ?? -1] ?? Number.NaN)) < 1e-5);
        assert.deepEqual(topLogProbs.indices.row(0, step), raw.topK(2).indices.data);
      }
    });
  }

  it("are in no result without the option", async () => {
    const generated = await model().generate(text, { returnLogits: true });
    assert.ok(!("logProbs" in generated) && !("topLogProbs" in generated));
    for await (const token of model().stream(text)) assert.ok(!("logProb" in token) && !("topLogProbs" in token));
  });

  it("are refused with beams, whoever asks for them", async () => {
    const message = "Expected options.numBeams: 1 alongside it for options.logProbs but received 2";
    const refused = { code: "ERR_INVALID_ARGUMENT", message };
    await assert.rejects(model().generate(text, { numBeams: 2, logProbs: 2 }), refused);
    await assert.rejects(model().stream(text, { numBeams: 2, logProbs: 2 }).next(), refused);
  });
});
