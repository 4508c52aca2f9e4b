// Defines tests of how near a precision with fewer bits is to Hugging Face's float32, over whole distributions.
import assert from "node:assert/strict";
import { type Agreement, agreementOf, merge } from "#lib/cli/commands/agreement.js";
import { makeCase, SHAPES, type Shape } from "../cases.js";
import { assertSameShape, type ReferenceForward, takeFloats } from "../comparing.js";
import type { Subject } from "../subject.js";
import { argmax, type Bounds } from "./tolerances.js";

const STEPS = 24;

/** `shapes`: of the passes that the logits are compared in. */
export function describeApproximation(subject: Subject, bounds: Bounds, shapes: readonly Shape[] = SHAPES): void {
  it(`logits: ${JSON.stringify(bounds)}`, async () => {
    const agreements: Agreement[] = [];
    const { vocabSize } = subject.prepared();
    for (const shape of shapes) {
      const { labels: _, decoderInputIds, ...source } = makeCase(shape, vocabSize);
      const expected = await subject.ask<ReferenceForward>("forward", { ...source, decoderInputIds });
      const { logits } = await subject.t5().forward({ ...source, decoderInputIds });
      assertSameShape("logits", logits, expected.logits);
      agreements.push(agreementOf(takeFloats(subject.reference(), expected.logits), logits.data, vocabSize));
    }
    const all = merge(agreements);
    const measured = JSON.stringify(all);
    assert.ok(all.top1 >= bounds.top1, measured);
    assert.ok(all.meanDivergence <= bounds.meanDivergence, measured);
    assert.ok(all.largestDivergence <= bounds.largestDivergence, measured);
  });

  it("greedy search takes the best token of each step of a session, and of forward within the bounds", async () => {
    const shape = { batch: 3, sourceLength: 17, targetLength: 1, masking: "right" } as const;
    const { vocabSize } = subject.prepared();
    const { labels: _, decoderInputIds: __, ...source } = makeCase(shape, vocabSize);
    const options = { maxNewTokens: STEPS, eosTokenId: [], returnLogits: true } as const;
    const { sequences, logits } = await subject.t5().generate(source, options);
    using session = (await subject.t5().encode(source)).startDecoding();
    for (let step = 0; step < STEPS; step++) {
      const rows = Array.from({ length: shape.batch }, (_, row) => sequences.row(row));
      const stepped = await session.step(rows.map((row) => [row[step] ?? 0]));
      assert.deepEqual(stepped.logits.data, logits[step]?.data, `step ${step}`);
      for (const [row, ids] of rows.entries()) assert.equal(argmax(stepped.logits.row(row, 0)), ids[step + 1]);
    }
    const decoderInputIds = Array.from({ length: shape.batch }, (_, row) => [...sequences.row(row).subarray(0, STEPS)]);
    const whole = await subject.t5().forward({ ...source, decoderInputIds });
    const stepwise = Array.from({ length: shape.batch }, (_, row) => logits.map((step) => [...step.row(row)])).flat(2);
    const agreement = agreementOf(whole.logits.data, Float32Array.from(stepwise), vocabSize);
    assert.ok(agreement.meanDivergence <= bounds.meanDivergence, JSON.stringify(agreement));
  });
}
