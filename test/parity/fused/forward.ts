// Every form of `forward`, compared with Hugging Face's: float32's promise.
import assert from "node:assert/strict";
import type { Tensor } from "torch-t5";
import { type Case, describeShape, makeCase, SHAPES, type Shape } from "../cases.js";
import { floats, type ReferenceForward, type ReferenceTensor } from "../comparing.js";
import { assertClose, assertCloseFloats, assertSameBest } from "./close.js";
import type { Subject } from "./subject.js";

const REDUCED: Shape = { batch: 3, sourceLength: 21, targetLength: 10, masking: "right" };

type Source = Pick<Case, "inputIds" | "attentionMask">;

/** Asks Hugging Face for a forward pass. */
export function askForward(subject: Subject, source: Source, decoder: object): Promise<ReferenceForward> {
  const { name, threads } = subject;
  return subject.reference().request("forward", { model: name, threads, ...source, ...decoder });
}

export function describeForward(subject: Subject): void {
  for (const shape of SHAPES) {
    it(`forward of ${describeShape(shape)}`, async () => {
      const { labels, decoderInputIds, ...source } = makeCase(shape, subject.prepared().vocabSize);
      const reference = subject.reference();
      const plain = await askForward(subject, source, { decoderInputIds });
      const received = await subject.t5().forward({ ...source, decoderInputIds }, { hiddenStates: true });
      assertLogits(subject, "logits", received.logits, plain.logits);
      assertClose("the decoder's state", received.decoderLastHiddenState, reference, plain.decoderLastHiddenState);
      assertEncoderState(subject, received.encoderLastHiddenState, plain.encoderLastHiddenState, source);

      const taught = await askForward(subject, source, { labels });
      const scored = await subject.t5().forward({ ...source, labels }, { loss: true });
      assertLogits(subject, "logits of labels", scored.logits, taught.logits);
      assertLoss(subject, scored.loss, taught.loss);
    });
  }

  describe("what is reduced natively", () => {
    let source: Source;
    let decoderInputIds: number[][];
    let labels: number[][];
    let taught: ReferenceForward;
    let full: Float32Array;

    before(async () => {
      ({ decoderInputIds, labels, ...source } = makeCase(REDUCED, subject.prepared().vocabSize));
      const { logits } = await askForward(subject, source, { decoderInputIds });
      full = floats(subject.reference().take(logits.file));
      taught = await askForward(subject, source, { labels });
    });

    /** The logits of these positions and vocabulary ids, in this order. */
    function pick(positions: readonly number[], tokens: readonly number[]): Float32Array {
      const { vocabSize } = subject.prepared();
      const rows = Array.from({ length: REDUCED.batch }, (_, row) => row * REDUCED.targetLength);
      return Float32Array.from(
        rows.flatMap((row) =>
          positions.flatMap((position) =>
            tokens.map((token) => full[(row + position) * vocabSize + token] ?? Number.NaN),
          ),
        ),
      );
    }

    const upTo = (length: number) => Array.from({ length }, (_, index) => index);
    const input = () => ({ ...source, decoderInputIds });

    it("is a part of the logits: positions, tokens, and both", async () => {
      const { vocabSize } = subject.prepared();
      const positions = [7, 0, 3, 7];
      const tokens = [vocabSize - 1, 0, 123, 2];
      const all = { positions: upTo(REDUCED.targetLength), tokens: upTo(vocabSize) };
      const t5 = subject.t5();
      const last = await t5.forward(input(), { positions: "last" });
      assert.deepEqual([...last.logits.shape], [REDUCED.batch, 1, vocabSize]);
      assertCloseFloats("the last position", last.logits.data, pick([REDUCED.targetLength - 1], all.tokens));
      const some = await t5.forward(input(), { positions });
      assertCloseFloats("positions", some.logits.data, pick(positions, all.tokens));
      const words = await t5.forward(input(), { tokens });
      assertCloseFloats("tokens", words.logits.data, pick(all.positions, tokens));
      const both = await t5.forward(input(), { positions, tokens });
      assertCloseFloats("both", both.logits.data, pick(positions, tokens));
    });

    it("is the largest logits, in falling order", async () => {
      const topK = 5;
      const { values, indices } = await subject.t5().forward(input(), { topK });
      for (const row of upTo(REDUCED.batch)) {
        for (const position of upTo(REDUCED.targetLength)) {
          const { vocabSize } = subject.prepared();
          const vocabulary = pick([position], upTo(vocabSize)).subarray(row * vocabSize, (row + 1) * vocabSize);
          const largest = vocabulary.toSorted().reverse().subarray(0, topK);
          assertCloseFloats("values", values.row(row, position), largest);
          const named = Float32Array.from(indices.row(row, position), (id) => vocabulary[id] ?? Number.NaN);
          assertCloseFloats("logits that indices name", named, largest);
        }
      }
    });

    it("leaves the loss and the hidden states those of all positions", async () => {
      const options = { positions: "last", tokens: [1], loss: true, hiddenStates: true } as const;
      const reduced = await subject.t5().forward({ ...source, labels }, options);
      assert.deepEqual([...reduced.logits.shape], [REDUCED.batch, 1, 1]);
      assertLoss(subject, reduced.loss, taught.loss);
      const { encoderLastHiddenState, decoderLastHiddenState } = reduced;
      assertEncoderState(subject, encoderLastHiddenState, taught.encoderLastHiddenState, source);
      assertClose("the decoder's state", decoderLastHiddenState, subject.reference(), taught.decoderLastHiddenState);
    });

    it("without a decoder's input is of the start id, once per row", async () => {
      const start = Array.from({ length: REDUCED.batch }, () => [subject.t5().config.decoderStartTokenId]);
      const expected = await askForward(subject, source, { decoderInputIds: start });
      assertLogits(subject, "logits", (await subject.t5().forward(source)).logits, expected.logits);
    });
  });
}

function assertLogits(subject: Subject, name: string, received: Tensor, expected: ReferenceTensor): void {
  assert.deepEqual([...received.shape], [...expected.shape], `the shape of ${name}`);
  assertSameBest(name, received.data, floats(subject.reference().take(expected.file)), subject.prepared().vocabSize);
}

/** Where the encoder doesn't attend, its state is nobody's: only a number is asked for. */
function assertEncoderState(subject: Subject, received: Tensor, expected: ReferenceTensor, source: Source): void {
  assert.deepEqual([...received.shape], [...expected.shape], "the shape of the encoder's state");
  const state = floats(subject.reference().take(expected.file));
  const [, length = 0, width = 0] = expected.shape;
  for (const [row, ids] of source.inputIds.entries()) {
    for (const position of ids.keys()) {
      const found = received.row(row, position);
      if (source.attentionMask?.[row]?.[position] === 0) {
        assert.ok(found.every(Number.isFinite), `row ${row}, position ${position} is padding, and still a number`);
        continue;
      }
      const start = (row * length + position) * width;
      assertCloseFloats(`the encoder's state at ${row}, ${position}`, found, state.subarray(start, start + width));
    }
  }
}

function assertLoss(subject: Subject, received: number, expected: ReferenceTensor | undefined): void {
  assert.ok(expected !== undefined, "the reference has no loss");
  assertCloseFloats("loss", Float32Array.of(received), floats(subject.reference().bytes(expected.file)));
}
