// What is allowed of precisions with fewer bits than float32.

/** What is allowed of all positions together. */
export interface Bounds {
  /** The least share of positions with the same best token. */
  readonly top1: number;
  /** The largest mean KL divergence, in nats. */
  readonly meanDivergence: number;
  /** The largest one of any position. */
  readonly largestDivergence: number;
}

/**
 * About twice what was measured: of the models with random weights, whose distributions are more uneven than a trained
 * one's and change with every rounding, and of the trained one.
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
