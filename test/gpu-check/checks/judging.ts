// What agreement with Hugging Face's float32 each precision owes on a GPU.
import type { Agreement } from "#lib/cli/commands/agreement.js";
import { BOUNDS, type Bounds } from "../../parity/fused/bounds.js";
import type { Finding, Settings } from "./settings.js";

/** Rounding is relative: the tolerance is that of logits of this size, and grows with larger ones. */
const LOGITS_OF = 10;
/**
 * A GPU's products of bfloat16 are bfloat16, where the kernels of the CPU hand float32 on. Twice the divergence is
 * allowed until it is known what GPUs give.
 */
const ON_GPU = 2;

/** The part of an agreement that a report tells, and whether it is enough. */
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

/** The largest size of any number. */
export function largestOf(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
