// How far logits are from those of a reference, measured in float64.
import { logSumExp } from "../../index.js";

/** The comparison of logits with a reference's, over a number of positions. */
export interface Agreement {
  readonly isBitwiseEqual: boolean;
  /** The number of logits that were compared. */
  readonly logits: number;
  /** The maximum of the absolute differences. Not finite where a logit of either side isn't. */
  readonly largestDifference: number;
  readonly meanDifference: number;
  readonly positions: number;
  /** The share of positions where the same token has the largest logit. */
  readonly top1: number;
  /**
   * The mean over positions of the Kullback-Leibler divergence of the reference's distribution from the other one, in
   * nats.
   */
  readonly meanDivergence: number;
  readonly largestDivergence: number;
}

/** Compares rows of `vocabSize` logits. Throws where the numbers of logits differ. */
export function agreementOf(reference: Float32Array, found: Float32Array, vocabSize: number): Agreement {
  if (reference.length !== found.length) {
    throw new Error(`Expected ${reference.length} logits but received ${found.length}`);
  }
  const rows = Array.from({ length: reference.length / vocabSize }, (_, row) => {
    const [from, to] = [row * vocabSize, (row + 1) * vocabSize];
    return compareRow(reference.subarray(from, to), found.subarray(from, to));
  });
  const of = (measure: (row: Row) => number) => rows.map(measure);
  return {
    isBitwiseEqual: bytesOf(reference).equals(bytesOf(found)),
    logits: reference.length,
    largestDifference: largest(of((row) => row.largestDifference)),
    meanDifference: sum(of((row) => row.sumOfDifferences)) / reference.length,
    positions: rows.length,
    top1: sum(of((row) => (row.isSameBest ? 1 : 0))) / rows.length,
    meanDivergence: sum(of((row) => row.divergence)) / rows.length,
    largestDivergence: largest(of((row) => row.divergence)),
  };
}

/** Several comparisons as one, over all of their positions. */
export function merge(agreements: readonly Agreement[]): Agreement {
  const of = (measure: (agreement: Agreement) => number) => agreements.map(measure);
  const logits = sum(of((one) => one.logits));
  const positions = sum(of((one) => one.positions));
  return {
    isBitwiseEqual: agreements.every((one) => one.isBitwiseEqual),
    logits,
    largestDifference: largest(of((one) => one.largestDifference)),
    meanDifference: sum(of((one) => one.meanDifference * one.logits)) / logits,
    positions,
    top1: sum(of((one) => one.top1 * one.positions)) / positions,
    meanDivergence: sum(of((one) => one.meanDivergence * one.positions)) / positions,
    largestDivergence: largest(of((one) => one.largestDivergence)),
  };
}

interface Row {
  readonly largestDifference: number;
  /** The sum of the absolute differences. */
  readonly sumOfDifferences: number;
  readonly isSameBest: boolean;
  readonly divergence: number;
}

function compareRow(reference: Float32Array, found: Float32Array): Row {
  const [one, other] = [normalizerOf(reference), normalizerOf(found)];
  let [largestDifference, sumOfDifferences, divergence] = [0, 0, other.value - one.value];
  for (const [index, logit] of reference.entries()) {
    const difference = logit - (found[index] ?? Number.NaN);
    largestDifference = Math.max(largestDifference, Math.abs(difference));
    sumOfDifferences += Math.abs(difference);
    divergence += Math.exp(logit - one.value) * difference;
  }
  // A divergence is never negative, but rounding can make that of two equal distributions so.
  const isSameBest = one.best === other.best;
  return { largestDifference, sumOfDifferences, isSameBest, divergence: Math.max(0, divergence) };
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
