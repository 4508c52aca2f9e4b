// How far results may be from Hugging Face's float32: what each precision of the fused engine promises.
import assert from "node:assert/strict";
import type { Comparison } from "../comparing.js";

/** The largest difference of any number that `float32` promises. */
export const TOLERANCE = 1e-4;

/** What a precision with fewer bits promises, over all positions together. */
export interface Bounds {
  /** The minimum share of positions with the same best token. */
  readonly top1: number;
  /** The maximum of the mean KL divergence, in nats. */
  readonly meanDivergence: number;
  /** The maximum KL divergence of any position. */
  readonly largestDivergence: number;
}

/**
 * About twice what was measured. Distributions of random weights are less even than those of a trained model, and
 * change more with each rounding.
 */
export const BOUNDS: Readonly<Record<"bfloat16" | "int8", Readonly<Record<"random" | "trained", Bounds>>>> = {
  bfloat16: {
    random: { top1: 0.975, meanDivergence: 1e-3, largestDivergence: 0.02 },
    trained: { top1: 0.985, meanDivergence: 1e-4, largestDivergence: 2e-3 },
  },
  int8: {
    random: { top1: 0.94, meanDivergence: 0.015, largestDivergence: 0.4 },
    trained: { top1: 0.98, meanDivergence: 2e-3, largestDivergence: 0.05 },
  },
};

/** The comparison of `float32`: every number within the tolerance, and the same best token at every position. */
export const CLOSE: Comparison = {
  logits: (name, received, expected, shape) => assertSameBest(name, received, expected, shape.at(-1) ?? 0),
  numbers: (name, received, expected) => assertClose(name, received, expected),
  encoderState(received, expected, attentionMask) {
    const [rows = 0, length = 0, width = 0] = received.shape;
    for (let row = 0; row < rows; row++) {
      for (let position = 0; position < length; position++) {
        const found = received.row(row, position);
        const name = `the encoder's state in row ${row} at position ${position}`;
        // Nothing attends to padding. Its state must only be finite.
        if (attentionMask?.[row]?.[position] === 0)
          assert.ok(found.every(Number.isFinite), `${name}, which is padding`);
        else assertClose(name, found, expected.subarray((row * length + position) * width).subarray(0, width));
      }
    }
  },
};

/** Fails unless every number is within the tolerance of the expected one. */
export function assertClose(name: string, received: Float32Array, expected: Float32Array, tolerance = TOLERANCE): void {
  assert.equal(received.length, expected.length, `the size of ${name}`);
  assert.ok(expected.length > 0, `the reference of ${name} is empty`);
  for (const [index, value] of expected.entries()) {
    const found = received[index] ?? Number.NaN;
    // Forbidden tokens have minus infinity on both sides.
    if (found === value || Math.abs(found - value) <= tolerance) continue;
    assert.fail(`${name}: ${found} instead of ${value} at ${index} of ${expected.length}`);
  }
}

/** Fails unless the logits are close and have the same best token at every position. */
export function assertSameBest(name: string, received: Float32Array, expected: Float32Array, vocabSize: number): void {
  assertClose(name, received, expected);
  for (let start = 0; start < expected.length; start += vocabSize) {
    const [found, wanted] = [received, expected].map((logits) => argmax(logits.subarray(start, start + vocabSize)));
    assert.equal(found, wanted, `the best token of ${name} at position ${start / vocabSize}`);
  }
}

/** The index of the largest number, the first one if there are several. */
export function argmax(numbers: Float32Array): number {
  return numbers.reduce((best, value, index) => (value > (numbers[best] ?? Number.NaN) ? index : best), 0);
}
