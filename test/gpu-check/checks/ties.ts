// Tells a near tie from a defect, where a search returns other tokens than Hugging Face's. Both sequences are scored
// again by Hugging Face, in float32 and in float64.
import type { Subject } from "./subject.js";

/** The sums of a sequence's log-probabilities up to each token, in both precisions. */
export interface Rescored {
  readonly float32: readonly number[];
  readonly float64: readonly number[];
}

/**
 * Hugging Face rounds the scores of two candidates, and torch-t5 does, too. Where the candidates differ by less than
 * these four errors, either one may come first.
 */
const ROUNDED_SCORES = 4;
/** The distance of 1 to the next float32: a sum cannot be more exact than this share of it. */
const EPSILON = 2 ** -23;

/** Two sequences' difference in float64, and the largest difference that rounding explains. */
export interface Gap {
  readonly difference: number;
  readonly allowed: number;
}

/** Scores two sequences of the source's only row. */
export async function rescore(
  { name, reference }: Pick<Subject, "name" | "reference">,
  source: object,
  sequences: readonly (readonly number[])[],
): Promise<readonly Rescored[]> {
  const request = { model: name, threads: 1, ...source, targets: sequences };
  return (await reference.request<{ rows: Rescored[] }>("rescore", request)).rows;
}

/**
 * The gap of two sequences which first differ at position `first`: between their scores up to this token, where a greedy
 * search decides, or between their whole scores, by which a beam search orders its results. The smaller one counts.
 */
export function gapOf(one: Rescored, other: Rescored, first: number): Gap {
  const at = (position: number): Gap => {
    const value = ({ float64 }: Rescored) => float64.at(position) ?? Number.NaN;
    const error = ({ float32, float64 }: Rescored) =>
      Math.max(
        Math.abs((float32.at(position) ?? Number.NaN) - (float64.at(position) ?? Number.NaN)),
        EPSILON * Math.abs(float64.at(position) ?? Number.NaN),
      );
    return {
      difference: Math.abs(value(one) - value(other)),
      allowed: ROUNDED_SCORES * Math.max(error(one), error(other)),
    };
  };
  const gaps = [at(first), ...(one.float64.length === other.float64.length ? [at(-1)] : [])];
  return gaps.find(isNearTie) ?? (gaps[0] as Gap);
}

/** Whether rounding explains the gap. */
export function isNearTie({ difference, allowed }: Gap): boolean {
  return difference <= allowed;
}
