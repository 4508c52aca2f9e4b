// Defines tests of every form of `forward`: each is compared with Hugging Face's.
import assert from "node:assert/strict";
import type { Tensor } from "torch-t5";
import { type Case, describeShape, makeCase, type Shape } from "./cases.js";
import {
  assertFloat32,
  assertSameShape,
  type Comparison,
  type ReferenceForward,
  type ReferenceTensor,
  takeFloats,
} from "./comparing.js";
import type { Subject } from "./subject.js";

const REDUCED: Shape = { batch: 3, sourceLength: 21, targetLength: 10, masking: "right" };

type Source = Pick<Case, "inputIds" | "attentionMask">;

/** Logits, hidden states and loss of each shape. */
export function describeForward(subject: Subject, shapes: readonly Shape[], comparison: Comparison): void {
  const compare = comparing(subject, comparison);

  for (const shape of shapes) {
    it(describeShape(shape), async () => {
      const { labels, decoderInputIds, ...source } = makeCase(shape, subject.prepared().vocabSize);
      const expected = await ask(subject, source, { decoderInputIds });
      const received = await subject.t5().forward({ ...source, decoderInputIds }, { hiddenStates: true });
      compare.logits("logits", received.logits, expected.logits);
      compare.numbers("the decoder's state", received.decoderLastHiddenState, expected.decoderLastHiddenState);
      compare.encoderState(received.encoderLastHiddenState, expected.encoderLastHiddenState, source);

      const expectedOfLabels = await ask(subject, source, { labels });
      const receivedOfLabels = await subject.t5().forward({ ...source, labels }, { loss: true });
      compare.logits("logits of labels", receivedOfLabels.logits, expectedOfLabels.logits);
      compare.loss(receivedOfLabels.loss, expectedOfLabels.loss);
    });
  }
}

/** Logits of some positions and tokens, and the largest ones, which are selected natively. */
export function describeReductions(subject: Subject, comparison: Comparison): void {
  const compare = comparing(subject, comparison);
  const upTo = (length: number) => Array.from({ length }, (_, index) => index);
  const rows = upTo(REDUCED.batch);
  const allPositions = upTo(REDUCED.targetLength);
  let source: Source;
  let decoderInputIds: number[][];
  let labels: number[][];
  let logits: Float32Array;

  before(async () => {
    ({ decoderInputIds, labels, ...source } = makeCase(REDUCED, subject.prepared().vocabSize));
    const whole = await ask(subject, source, { decoderInputIds });
    logits = takeFloats(subject.reference(), whole.logits);
  });

  const input = () => ({ ...source, decoderInputIds });
  const allTokens = () => upTo(subject.prepared().vocabSize);

  /** The reference's logits of these positions and tokens, in this order. */
  function pick(positions: readonly number[], tokens: readonly number[], ofRows = rows): Float32Array {
    const { vocabSize } = subject.prepared();
    const at = (row: number, position: number, token: number) =>
      logits[(row * REDUCED.targetLength + position) * vocabSize + token] ?? Number.NaN;
    return Float32Array.from(
      ofRows.flatMap((row) => positions.flatMap((position) => tokens.map((token) => at(row, position, token)))),
    );
  }

  function assertPicked(received: Tensor, positions: readonly number[], tokens: readonly number[]): void {
    const shape = [REDUCED.batch, positions.length, tokens.length];
    assert.deepEqual([...received.shape], shape);
    comparison.numbers("logits", received.data, pick(positions, tokens), shape);
  }

  it("positions: last", async () => {
    const { logits: last } = await subject.t5().forward(input(), { positions: "last" });
    assertPicked(last, allPositions.slice(-1), allTokens());
  });

  it("positions in any order, and repeated", async () => {
    const positions = [7, 0, 3, 7];
    const { logits: some } = await subject.t5().forward(input(), { positions });
    assertPicked(some, positions, allTokens());
  });

  it("tokens in any order", async () => {
    const tokens = [subject.prepared().vocabSize - 1, 0, 123, 2];
    const { logits: some } = await subject.t5().forward(input(), { tokens });
    assertPicked(some, allPositions, tokens);
  });

  it("positions and tokens together", async () => {
    const options = { positions: [9, 1], tokens: [5, 6, 250] };
    const { logits: some } = await subject.t5().forward(input(), options);
    assertPicked(some, options.positions, options.tokens);
  });

  it("topK: the largest logits in descending order, with their tokens", async () => {
    const topK = 7;
    const { values, indices } = await subject.t5().forward(input(), { topK });
    assert.deepEqual([...values.shape], [REDUCED.batch, REDUCED.targetLength, topK]);
    assert.deepEqual([...indices.shape], [...values.shape]);
    for (const row of rows) {
      for (const position of allPositions) {
        const vocabulary = pick([position], allTokens(), [row]);
        const largest = vocabulary.toSorted().reverse().subarray(0, topK);
        comparison.numbers("values", values.row(row, position), largest, [topK]);
        const named = Float32Array.from(indices.row(row, position), (id) => vocabulary[id] ?? Number.NaN);
        comparison.numbers("logits of indices", named, largest, [topK]);
        assert.equal(new Set(indices.row(row, position)).size, topK);
      }
    }
  });

  it("loss and hidden states are still those of all positions", async () => {
    const expected = await ask(subject, source, { labels });
    const options = { positions: "last", tokens: [1], loss: true, hiddenStates: true } as const;
    const reduced = await subject.t5().forward({ ...source, labels }, options);
    assert.deepEqual([...reduced.logits.shape], [REDUCED.batch, 1, 1]);
    compare.loss(reduced.loss, expected.loss);
    compare.encoderState(reduced.encoderLastHiddenState, expected.encoderLastHiddenState, source);
    compare.numbers("the decoder's state", reduced.decoderLastHiddenState, expected.decoderLastHiddenState);
  });

  it("without decoder input, the decoder reads the start id in every row", async () => {
    const start = rows.map(() => [subject.t5().config.decoderStartTokenId]);
    const expected = await ask(subject, source, { decoderInputIds: start });
    compare.logits("logits", (await subject.t5().forward(source)).logits, expected.logits);
  });

  it("labels are shifted right as Hugging Face does, including -100", async () => {
    assert.ok(labels.flat().includes(-100));
    const shifted = await subject.ask<{ decoderInputIds: number[][] }>("shiftRight", { labels });
    const [ofLabels, ofShifted] = [
      await subject.t5().forward({ ...source, labels }),
      await subject.t5().forward({ ...source, ...shifted }),
    ];
    assert.deepEqual(ofLabels.logits.data, ofShifted.logits.data);
    compare.logits("logits", ofLabels.logits, (await ask(subject, source, { labels })).logits);
  });
}

/** Asks Hugging Face for a forward pass. */
function ask(subject: Subject, source: Source, decoder: object): Promise<ReferenceForward> {
  return subject.ask("forward", { ...source, ...decoder });
}

/** Comparisons of tensors with those that the reference wrote. */
function comparing(subject: Subject, comparison: Comparison) {
  const take = (tensor: ReferenceTensor) => takeFloats(subject.reference(), tensor);
  return {
    logits(name: string, received: Tensor, expected: ReferenceTensor): void {
      assertSameShape(name, received, expected);
      comparison.logits(name, received.data, take(expected), received.shape);
    },
    numbers(name: string, received: Tensor, expected: ReferenceTensor): void {
      assertSameShape(name, received, expected);
      comparison.numbers(name, received.data, take(expected), received.shape);
    },
    encoderState(received: Tensor, expected: ReferenceTensor, { attentionMask }: Source): void {
      assertSameShape("the encoder's state", received, expected);
      comparison.encoderState(received, take(expected), attentionMask);
    },
    loss(received: number, expected: ReferenceTensor | undefined): void {
      assert.ok(expected !== undefined, "the reference has no loss");
      const loss = take(expected);
      assert.ok(Number.isFinite(loss[0]), `the reference's loss is ${loss[0]}`);
      comparison.numbers("loss", Float32Array.of(received), loss, []);
      assertFloat32(received, "loss");
    },
  };
}
