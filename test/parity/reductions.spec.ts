import assert from "node:assert/strict";
import type { T5ForConditionalGeneration } from "torch-t5";
import { Reference } from "../support/reference.js";
import { type Case, makeCase } from "./cases.js";
import { assertSameBits, assertSameFloats, floats, type ReferenceForward, type ReferenceTensor } from "./comparing.js";
import { load, makeFamily, type Prepared } from "./models.js";

const FAMILY = "t5-v1.1";
const THREADS = 2;
const SHAPE = { batch: 3, sourceLength: 21, targetLength: 10, masking: "right" } as const;

describe("what is reduced natively is a part of Hugging Face's logits, bit for bit", () => {
  let reference: Reference;
  let prepared: Prepared;
  let t5: T5ForConditionalGeneration;
  let source: Pick<Case, "inputIds" | "attentionMask">;
  let decoderInputIds: number[][];
  let labels: number[][];
  let full: ReferenceForward;
  let logits: Float32Array;

  const ask = (decoder: object) =>
    reference.request<ReferenceForward>("forward", { model: FAMILY, threads: THREADS, ...source, ...decoder });

  before(async function () {
    this.timeout(300_000);
    reference = new Reference();
    prepared = await makeFamily(reference, FAMILY);
    t5 = await load(prepared.directory, THREADS);
    ({ decoderInputIds, labels, ...source } = makeCase(SHAPE, prepared.vocabSize));
    full = await ask({ decoderInputIds });
    logits = floats(reference.bytes(full.logits.file));
  });

  after(async () => {
    await t5?.dispose();
    await reference.close();
  });

  /** The logits of these positions and vocabulary ids, in this order. */
  function pick(positions: readonly number[], tokens: readonly number[]): Float32Array {
    const rows = Array.from({ length: SHAPE.batch }, (_, row) => row);
    const at = (row: number, position: number, token: number) =>
      logits[(row * SHAPE.targetLength + position) * prepared.vocabSize + token] ?? Number.NaN;
    return Float32Array.from(
      rows.flatMap((row) => positions.flatMap((position) => tokens.map((token) => at(row, position, token)))),
    );
  }

  const all = (length: number) => Array.from({ length }, (_, index) => index);

  it("positions: last", async () => {
    const { logits: last } = await t5.forward({ ...source, decoderInputIds }, { positions: "last" });
    assert.deepEqual([...last.shape], [SHAPE.batch, 1, prepared.vocabSize]);
    assertSameFloats("logits", last.data, pick([SHAPE.targetLength - 1], all(prepared.vocabSize)), last.shape);
  });

  it("positions in any order, repeated too", async () => {
    const positions = [7, 0, 3, 7];
    const { logits: some } = await t5.forward({ ...source, decoderInputIds }, { positions });
    assert.deepEqual([...some.shape], [SHAPE.batch, positions.length, prepared.vocabSize]);
    assertSameFloats("logits", some.data, pick(positions, all(prepared.vocabSize)), some.shape);
  });

  it("tokens in any order", async () => {
    const tokens = [prepared.vocabSize - 1, 0, 465, 2];
    const { logits: some } = await t5.forward({ ...source, decoderInputIds }, { tokens });
    assert.deepEqual([...some.shape], [SHAPE.batch, SHAPE.targetLength, tokens.length]);
    assertSameFloats("logits", some.data, pick(all(SHAPE.targetLength), tokens), some.shape);
  });

  it("positions and tokens together", async () => {
    const [positions, tokens] = [
      [9, 1],
      [5, 6, 700],
    ];
    const { logits: some } = await t5.forward({ ...source, decoderInputIds }, { positions, tokens });
    assertSameFloats("logits", some.data, pick(positions, tokens), some.shape);
  });

  it("topK: the largest in falling order, with their vocabulary ids", async () => {
    const topK = 7;
    const { values, indices } = await t5.forward({ ...source, decoderInputIds }, { topK });
    assert.deepEqual([...values.shape], [SHAPE.batch, SHAPE.targetLength, topK]);
    assert.deepEqual([...indices.shape], [...values.shape]);
    for (const row of all(SHAPE.batch)) {
      for (const position of all(SHAPE.targetLength)) {
        const vocabulary = pick([position], all(prepared.vocabSize)).subarray(
          row * prepared.vocabSize,
          (row + 1) * prepared.vocabSize,
        );
        const largest = vocabulary.toSorted().reverse().subarray(0, topK);
        assertSameFloats("values", values.row(row, position), largest, [topK]);
        const named = Float32Array.from(indices.row(row, position), (id) => vocabulary[id] ?? Number.NaN);
        assertSameFloats("logits that indices name", named, largest, [topK]);
        assert.equal(new Set(indices.row(row, position)).size, topK);
      }
    }
  });

  it("the loss and the hidden states stay those of all positions", async () => {
    const taught = await ask({ labels });
    const options = { positions: "last", tokens: [1], loss: true, hiddenStates: true } as const;
    const reduced = await t5.forward({ ...source, labels }, options);
    assertSameFloats(
      "loss",
      Float32Array.of(reduced.loss),
      floats(reference.bytes((taught.loss as ReferenceTensor).file)),
      [],
    );
    const { encoderLastHiddenState, decoderLastHiddenState } = reduced;
    assertSameBits("encoder state", encoderLastHiddenState, reference, taught.encoderLastHiddenState);
    assertSameBits("decoder state", decoderLastHiddenState, reference, taught.decoderLastHiddenState);
  });

  it("labels are shifted right as Hugging Face does, -100 included", async () => {
    const shifted = await reference.request<{ decoderInputIds: number[][] }>("shiftRight", { model: FAMILY, labels });
    assert.ok(labels.flat().includes(-100));
    const taught = await t5.forward({ ...source, labels });
    const given = await t5.forward({ ...source, ...shifted });
    assertSameFloats("logits", taught.logits.data, given.logits.data, given.logits.shape);
    assertSameBits("logits", taught.logits, reference, (await ask({ labels })).logits);
  });

  it("without a decoder's input the start id is given to it, once per row", async () => {
    const start = Array.from({ length: SHAPE.batch }, () => [t5.config.decoderStartTokenId]);
    const first = await t5.forward(source);
    assertSameBits("logits", first.logits, reference, (await ask({ decoderInputIds: start })).logits);
  });
});
