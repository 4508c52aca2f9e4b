import assert from "node:assert/strict";
import { Tensor } from "torch-t5";
import { useModel } from "../support/model.js";

const texts = ["spell number: 7", "spell number: 48213"];
const target = ["seven", "forty-eight thousand two hundred thirteen"];

const bytes = ({ data }: Tensor) => Buffer.from(data.buffer);

describe("forward", () => {
  const model = useModel();

  function encode() {
    const { tokenizer } = model();
    if (tokenizer === undefined) throw new Error("The embedded model has a tokenizer");
    return tokenizer;
  }

  it("needs no labels: a text gives the logits of the first token", async () => {
    const { logits } = await model().forward(texts[0] ?? "");
    assert.deepEqual(logits.shape, [1, 1, model().config.vocabSize]);
    assert.ok(logits.data.every(Number.isFinite));
  });

  it("returns one row per text", async () => {
    const { logits } = await model().forward(texts);
    assert.deepEqual(logits.shape, [2, 1, model().config.vocabSize]);
  });

  it("accepts an empty text, which is the end-of-sequence id alone, as Hugging Face does", async () => {
    const { logits } = await model().forward("");
    const same = await model().forward({ inputIds: [[model().config.eosTokenId]] });
    assert.ok(bytes(logits).equals(bytes(same.logits)));
  });

  it("returns the same bits for a text and for its ids, in every form of ids", async () => {
    const { logits } = await model().forward(texts);
    const batch = encode().encodeBatch(texts);
    const { inputIds, attentionMask, shape } = batch;
    const [rows = 0, length = 0] = shape;
    const toRows = (flat: Int32Array) =>
      Array.from({ length: rows }, (_, row) => [...flat.subarray(row * length, (row + 1) * length)]);
    const forms = [
      batch,
      { inputIds: toRows(inputIds), attentionMask: toRows(attentionMask) },
      { inputIds: toRows(inputIds).map((row) => Int32Array.from(row)), attentionMask: toRows(attentionMask) },
      { inputIds: toRows(inputIds).map((row) => row.map(BigInt)), attentionMask: toRows(attentionMask) },
      { inputIds: { data: inputIds, shape }, attentionMask: { data: attentionMask, shape } },
      { inputIds: { data: BigInt64Array.from(inputIds, BigInt), shape }, attentionMask: toRows(attentionMask) },
      { inputIds: new Tensor(inputIds, shape), attentionMask: new Tensor(attentionMask, shape) },
    ];
    for (const form of forms) {
      const again = await model().forward(form);
      assert.ok(bytes(again.logits).equals(bytes(logits)));
    }
  });

  it("uses a mask of ones by default", async () => {
    const inputIds = [[5, 6, 7, 1]];
    const [without, ones] = [
      await model().forward({ inputIds }),
      await model().forward({ inputIds, attentionMask: [[1, 1, 1, 1]] }),
    ];
    assert.ok(bytes(without.logits).equals(bytes(ones.logits)));
  });

  it("ignores ids whose mask is 0", async () => {
    const attentionMask = [[1, 1, 1, 0]];
    const a = await model().forward({ inputIds: [[5, 6, 1, 0]], attentionMask });
    const b = await model().forward({ inputIds: [[5, 6, 1, 9]], attentionMask });
    assert.ok(bytes(a.logits).equals(bytes(b.logits)));
  });

  it("shifts targets right after the start id, padded with the pad id", async () => {
    const { config } = model();
    const { logits } = await model().forward({ text: texts, target });
    const labels = target.map((text) => [...encode().encode(text).ids]);
    const length = Math.max(...labels.map((row) => row.length));
    const decoderInputIds = labels.map((row) =>
      [config.decoderStartTokenId, ...row, ...Array(length).fill(config.padTokenId)].slice(0, length),
    );
    const same = await model().forward({ text: texts, decoderInputIds });
    assert.deepEqual(logits.shape, [2, length, config.vocabSize]);
    assert.ok(bytes(logits).equals(bytes(same.logits)));
  });

  it("shifts labels right as it does targets, with the pad id for -100", async () => {
    const labels = target.map((text) => [...encode().encode(text).ids]);
    const length = Math.max(...labels.map((row) => row.length));
    const padded = labels.map((row) => [...row, ...Array(length - row.length).fill(-100)]);
    const [fromTarget, fromLabels] = [
      await model().forward({ text: texts, target }, { loss: true }),
      await model().forward({ text: texts, labels: padded }, { loss: true }),
    ];
    assert.ok(bytes(fromTarget.logits).equals(bytes(fromLabels.logits)));
    assert.equal(fromTarget.loss, fromLabels.loss);
  });

  it("has a loss that is the mean negative log-probability of the labels other than -100", async () => {
    const labels = [[5, 6, -100, 1]];
    const { logits, loss } = await model().forward({ inputIds: [[7, 8, 1]], labels }, { loss: true });
    const logs = logits.logSoftmax();
    const kept = [5, 6, -100, 1].flatMap((id, t) => (id === -100 ? [] : (logs.row(0, t)[id] ?? 0)));
    const mean = -kept.reduce((sum, value) => sum + value, 0) / kept.length;
    assert.ok(Math.abs(loss - mean) < 1e-5 * Math.max(1, mean), `${loss} is not ${mean}`);
  });

  it("has a loss of NaN where every label is ignored, as Hugging Face does", async () => {
    const { loss } = await model().forward({ inputIds: [[7, 1]], labels: [[-100]] }, { loss: true });
    assert.ok(Number.isNaN(loss));
  });

  describe("returns, if options select,", () => {
    const input = { text: texts, target };

    it("the last position", async () => {
      const [all, last] = [await model().forward(input), await model().forward(input, { positions: "last" })];
      const [batch = 0, length = 0, vocabSize = 0] = all.logits.shape;
      assert.deepEqual(last.logits.shape, [batch, 1, vocabSize]);
      for (let row = 0; row < batch; row++) {
        assert.deepEqual(last.logits.row(row, 0), all.logits.row(row, length - 1));
      }
    });

    it("positions and tokens in the order of the options, then the largest of them with vocabulary ids", async () => {
      const all = await model().forward(input);
      const positions = [2, 0, 2];
      const tokens = Int32Array.of(9, 3, 4);
      const some = await model().forward(input, { positions, tokens });
      assert.deepEqual(some.logits.shape, [2, 3, 3]);
      const best = await model().forward(input, { positions, tokens, topK: 2 });
      assert.deepEqual(best.values.shape, [2, 3, 2]);
      for (const row of [0, 1]) {
        for (const [index, position] of positions.entries()) {
          const wanted = Array.from(tokens, (token) => all.logits.row(row, position)[token] ?? 0);
          assert.deepEqual([...some.logits.row(row, index)], wanted);
          const order = [0, 1, 2].sort((a, b) => (wanted[b] ?? 0) - (wanted[a] ?? 0)).slice(0, 2);
          assert.deepEqual(
            [...best.indices.row(row, index)],
            order.map((at) => tokens[at]),
          );
          assert.deepEqual(
            [...best.values.row(row, index)],
            order.map((at) => wanted[at]),
          );
        }
      }
    });

    it("the largest logits, the same as the tensor's topK", async () => {
      const [all, top] = [await model().forward(input), await model().forward(input, { topK: 5 })];
      assert.ok(!("logits" in top));
      assert.deepEqual([...top.values.data], [...all.logits.topK(5).values.data]);
      assert.deepEqual([...top.indices.data], [...all.logits.topK(5).indices.data]);
    });

    it("hidden states, and else none", async () => {
      const { dModel } = model().config;
      const without = await model().forward(input);
      assert.deepEqual(Object.keys(without), ["logits"]);
      const { logits, encoderLastHiddenState, decoderLastHiddenState } = await model().forward(input, {
        hiddenStates: true,
      });
      const sourceLength = encode().encodeBatch(texts).shape[1];
      assert.deepEqual(encoderLastHiddenState.shape, [2, sourceLength, dModel]);
      assert.deepEqual(decoderLastHiddenState.shape, [2, logits.shape[1], dModel]);
    });
  });

  it("copies its arguments before it returns", async () => {
    const inputIds = [[5, 6, 7, 1]];
    const wanted = (await model().forward({ inputIds: [[5, 6, 7, 1]] })).logits;
    const pending = model().forward({ inputIds });
    inputIds[0]?.fill(9);
    const flat = Int32Array.of(5, 6, 7, 1);
    const another = model().forward({ inputIds: { data: flat, shape: [1, 4] } });
    flat.fill(9);
    for (const { logits } of [await pending, await another]) assert.ok(bytes(logits).equals(bytes(wanted)));
  });

  it("runs concurrent calls, each with its own result", async () => {
    const rows = Array.from({ length: 20 }, (_, index) => [3 + index, 4, 1]);
    const together = await Promise.all(rows.map((row) => model().forward({ inputIds: [row] })));
    for (const [index, { logits }] of together.entries()) {
      const alone = await model().forward({ inputIds: [rows[index] ?? []] });
      assert.ok(bytes(alone.logits).equals(bytes(logits)));
    }
  });

  it("returns a tensor that owns its buffer, and frees it on dispose", async () => {
    const { logits } = await model().forward(texts);
    const { data } = logits;
    assert.equal(data.byteOffset, 0);
    assert.equal(data.buffer.byteLength, data.byteLength);
    logits.dispose();
    assert.equal(data.length, 0, "views on it are empty, too");
    assert.equal(logits.data.length, 0);
    assert.throws(() => logits.argmax(), { code: "ERR_DISPOSED" });
  });
});
