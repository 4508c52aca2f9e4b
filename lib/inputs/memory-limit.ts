// What the kernel would end the process for, instead of refusing it, is refused here: attention over too long a sequence.
import { freemem } from "node:os";
import process, { platform } from "node:process";
import { refused } from "../util/validation.js";

/** Per pair of positions: the distance and its bucket, int64, while the position bias is made. */
const INDEX_BYTES = 16;
const FLOAT_BYTES = 4;
const GIGABYTE = 1e9;

/** Shorter sequences aren't looked at: they fit everywhere. */
const SHORT = 4096;

/** A model, as far as its attention is concerned. */
export interface AttendingModel {
  readonly config: { readonly numHeads: number };
  /** Whether every pair of positions is in memory at once; the fused engine looks at a few queries at a time. */
  readonly materializesAttention: boolean;
}

/** Throws ERR_OUT_OF_MEMORY where a stack's attention over `[batch, length]` needs more memory than is available. */
export function checkAttention(batch: number, length: number, model: AttendingModel, name: string): void {
  if (length <= SHORT || !model.materializesAttention) return;
  const { config } = model;
  // A position bias for every head, and its sum with the mask for every row.
  const bytes = length ** 2 * (INDEX_BYTES + config.numHeads * FLOAT_BYTES * (1 + batch));
  const available = availableBytes();
  if (bytes <= available) return;
  const size = (count: number) => (count / GIGABYTE).toFixed(1);
  const received = `${batch} x ${length} ids, whose attention takes ${size(bytes)} GB`;
  throw refused(`ids that fit into the ${size(available)} GB of memory available`, name, received, "ERR_OUT_OF_MEMORY");
}

/** Within the limit of a container as well. On Linux free memory counts what caches would give back; elsewhere it doesn't. */
function availableBytes(): number {
  const limit = process.availableMemory();
  return platform === "linux" ? Math.min(limit, freemem()) : limit;
}
