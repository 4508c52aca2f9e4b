// Numbers that may differ from Hugging Face's by a rounding: float32's promise, and what it means for rows of logits.
import assert from "node:assert/strict";
import type { Tensor } from "torch-t5";
import type { Reference } from "../../support/reference.js";
import { floats, type ReferenceTensor } from "../comparing.js";

/** The largest difference of a logit that float32 promises. */
export const TOLERANCE = 1e-4;

/** Fails unless every number is within the tolerance of the expected one. */
export function assertCloseFloats(
  name: string,
  received: Float32Array,
  expected: Float32Array,
  tolerance = TOLERANCE,
): void {
  assert.equal(received.length, expected.length, `the size of ${name}`);
  assert.ok(expected.length > 0, `the reference of ${name} is empty`);
  for (const [index, value] of expected.entries()) {
    const found = received[index] ?? Number.NaN;
    // What was forbidden is minus infinity on both sides.
    if (found === value || Math.abs(found - value) <= tolerance) continue;
    assert.fail(`${name}: ${found} instead of ${value} at ${index} of ${expected.length}`);
  }
}

/** The same for a tensor that the reference wrote; its file is removed. */
export function assertClose(
  name: string,
  received: Tensor | undefined,
  reference: Reference,
  expected: ReferenceTensor,
  tolerance = TOLERANCE,
): void {
  assert.ok(received !== undefined, `no ${name}`);
  assert.deepEqual([...received.shape], [...expected.shape], `the shape of ${name}`);
  assertCloseFloats(name, received.data, floats(reference.take(expected.file)), tolerance);
}

/** Fails unless the logits are close, and the best token is the same at every position. */
export function assertSameBest(name: string, received: Float32Array, expected: Float32Array, vocabSize: number): void {
  assertCloseFloats(name, received, expected);
  for (let start = 0; start < expected.length; start += vocabSize) {
    const [found, wanted] = [received, expected].map((logits) => best(logits.subarray(start, start + vocabSize)));
    assert.equal(found, wanted, `the best token of ${name} at position ${start / vocabSize}`);
  }
}

/** Where the largest of some numbers is, the first one if there are several. */
export function best(logits: Float32Array): number {
  return logits.reduce((most, logit, index) => (logit > (logits[most] ?? Number.NaN) ? index : most), 0);
}
