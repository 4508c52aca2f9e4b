// How far logits or hidden states are from those of a reference, measured in float64.
import { logSumExp } from "../../index.js";

/** The comparison of numbers with a reference's. */
export interface Difference {
  readonly isBitwiseEqual: boolean;
  /** How many numbers were compared. */
  readonly numbers: number;
  /** The maximum of the absolute differences. Not finite where a number of either side isn't. */
  readonly largestDifference: number;
  readonly meanDifference: number;
  readonly positions: number;
}

/** The comparison of logits with a reference's, over a number of positions. */
export interface Agreement extends Difference {
  /** The share of positions where the same token has the largest logit. */
  readonly top1: number;
  /**
   * The mean over positions of the Kullback-Leibler divergence of the reference's distribution from the other one, in
   * nats.
   */
  readonly meanDivergence: number;
  readonly largestDivergence: number;
}

/** Compares rows of `width` numbers. Throws where the numbers of numbers differ. */
export function differenceOf(reference: Float32Array, found: Float32Array, width: number): Difference {
  if (reference.length !== found.length) {
    throw new Error(`Expected ${reference.length} numbers but received ${found.length}`);
  }
  let [largestDifference, sumOfDifferences] = [0, 0];
  for (const [index, value] of reference.entries()) {
    const difference = Math.abs(value - (found[index] ?? Number.NaN));
    largestDifference = Math.max(largestDifference, difference);
    sumOfDifferences += difference;
  }
  return {
    isBitwiseEqual: bytesOf(reference).equals(bytesOf(found)),
    numbers: reference.length,
    largestDifference,
    meanDifference: sumOfDifferences / reference.length,
    positions: reference.length / width,
  };
}

/** Compares rows of `vocabSize` logits. Throws where the numbers of logits differ. */
export function agreementOf(reference: Float32Array, found: Float32Array, vocabSize: number): Agreement {
  const difference = differenceOf(reference, found, vocabSize);
  const rows = Array.from({ length: difference.positions }, (_, row) => {
    const [from, to] = [row * vocabSize, (row + 1) * vocabSize];
    return compareRow(reference.subarray(from, to), found.subarray(from, to));
  });
  return {
    ...difference,
    top1: sum(rows.map((row) => (row.isSameBest ? 1 : 0))) / rows.length,
    meanDivergence: sum(rows.map((row) => row.divergence)) / rows.length,
    largestDivergence: largest(rows.map((row) => row.divergence)),
  };
}

/** Several comparisons as one, over all of their positions. */
export function mergeDifferences(differences: readonly Difference[]): Difference {
  const of = (measure: (difference: Difference) => number) => differences.map(measure);
  const numbers = sum(of((one) => one.numbers));
  return {
    isBitwiseEqual: differences.every((one) => one.isBitwiseEqual),
    numbers,
    largestDifference: largest(of((one) => one.largestDifference)),
    meanDifference: sum(of((one) => one.meanDifference * one.numbers)) / numbers,
    positions: sum(of((one) => one.positions)),
  };
}

/** Several comparisons of logits as one, over all of their positions. */
export function merge(agreements: readonly Agreement[]): Agreement {
  const difference = mergeDifferences(agreements);
  const mean = (measure: (agreement: Agreement) => number) =>
    sum(agreements.map((one) => measure(one) * one.positions)) / difference.positions;
  return {
    ...difference,
    top1: mean((one) => one.top1),
    meanDivergence: mean((one) => one.meanDivergence),
    largestDivergence: largest(agreements.map((one) => one.largestDivergence)),
  };
}

interface Row {
  readonly isSameBest: boolean;
  readonly divergence: number;
}

function compareRow(reference: Float32Array, found: Float32Array): Row {
  const [one, other] = [normalizerOf(reference), normalizerOf(found)];
  let divergence = other.value - one.value;
  for (const [index, logit] of reference.entries()) {
    divergence += Math.exp(logit - one.value) * (logit - (found[index] ?? Number.NaN));
  }
  // A divergence is never negative, but rounding can make that of two equal distributions so.
  return { isSameBest: one.best === other.best, divergence: Math.max(0, divergence) };
}

/** The logarithm of a softmax's denominator, and the index of the largest logit. */
function normalizerOf(logits: Float32Array): { readonly value: number; readonly best: number } {
  let best = 0;
  for (const [index, logit] of logits.entries()) {
    if (logit > (logits[best] ?? Number.NaN)) best = index;
  }
  return { value: logSumExp(logits), best };
}

function bytesOf(logits: Float32Array): Buffer {
  return Buffer.from(logits.buffer, logits.byteOffset, logits.byteLength);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The maximum of values that aren't negative; NaN if one of them is NaN. */
function largest(values: readonly number[]): number {
  return values.reduce((max, value) => Math.max(max, value), 0);
}
