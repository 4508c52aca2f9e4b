// The agreement with Hugging Face's float32 that each precision must reach on a GPU.
import type { Agreement } from "#lib/cli/commands/agreement.js";
import { BOUNDS, type Bounds } from "../../parity/fused/tolerances.js";
import type { Finding, Settings } from "./settings.js";

/** The tolerance is for logits of this size. It grows with larger logits, because rounding is relative. */
const LOGITS_OF = 10;
/**
 * On a GPU, products of bfloat16 are rounded to bfloat16, whereas the kernels for the CPU pass float32 on. Twice the
 * divergence is allowed until enough GPUs have been measured.
 */
const ON_GPU = 2;

/** The part of an agreement that a report shows, and whether it is sufficient. */
export function judge(
  subject: string,
  agreement: Agreement,
  largestLogit: number,
  { precision, tolerance, device }: Pick<Settings, "precision" | "tolerance"> & { readonly device: string },
): Finding {
  const { largestDifference, meanDifference, top1, meanDivergence, largestDivergence } = agreement;
  const allowed = tolerance * Math.max(1, largestLogit / LOGITS_OF);
  const passed =
    precision === "exact" || precision === "float32"
      ? largestDifference <= allowed && top1 === 1
      : isWithin(agreement, BOUNDS[precision].random, device === "cpu" ? 1 : ON_GPU);
  return {
    subject,
    passed,
    measured: {
      "bitwise equal": agreement.isBitwiseEqual ? "yes" : "no",
      "largest logit": largestLogit,
      "largest difference": largestDifference,
      "mean difference": meanDifference,
      "top-1": top1,
      "mean KL": meanDivergence,
      "largest KL": largestDivergence,
    },
  };
}

function isWithin(found: Agreement, bounds: Bounds, slack: number): boolean {
  return (
    1 - found.top1 <= slack * (1 - bounds.top1) &&
    found.meanDivergence <= slack * bounds.meanDivergence &&
    found.largestDivergence <= slack * bounds.largestDivergence
  );
}

/** The largest absolute value. */
export function largestOf(values: Float32Array): number {
  return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
