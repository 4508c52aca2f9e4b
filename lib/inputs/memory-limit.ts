// Refuses sequences that are longer than the model allows, or whose attention can't fit into memory: the kernel would end
// the process instead.
import { freemem } from "node:os";
import process, { platform } from "node:process";
import { refused } from "../util/validation.js";

/** While the position bias is computed: a distance and a bucket per pair of positions, both int64. */
const INDEX_BYTES = 16;
const FLOAT_BYTES = 4;
const GIGABYTE = 1e9;

/** The attention of sequences up to this length fits on every machine. */
const SHORT_LENGTH = 4096;

/** The parts of a model that limit its sequences. */
export interface SequenceLimits {
  /** The maximum length of a sequence. */
  readonly limits: { readonly maxInputTokens: number };
  readonly config: { readonly numHeads: number };
  /**
   * Whether attention scores of all pairs of positions are in memory at once. The fused engine keeps those of a few
   * queries.
   */
  readonly materializesAttention: boolean;
}

/**
 * Throws ERR_INVALID_ARGUMENT where `[batch, length]` ids are longer than `maxInputTokens`, and ERR_OUT_OF_MEMORY where
 * their self-attention needs more memory than is available.
 */
export function checkSequences(batch: number, length: number, model: SequenceLimits, name: string): void {
  const { maxInputTokens } = model.limits;
  if (length > maxInputTokens) {
    throw refused(`at most ${maxInputTokens} ids per row (the load option maxInputTokens)`, name, `${length}`);
  }
  if (length <= SHORT_LENGTH || !model.materializesAttention) return;
  // Float32 per pair of positions and head: the position bias once, and its sum with the mask for every row.
  const bytes = length ** 2 * (INDEX_BYTES + model.config.numHeads * FLOAT_BYTES * (1 + batch));
  const available = availableBytes();
  if (bytes <= available) return;
  throw refused(
    `ids that fit into the ${inGigabytes(available)} GB of memory available`,
    name,
    `${batch} x ${length} ids, whose attention takes ${inGigabytes(bytes)} GB`,
    "ERR_OUT_OF_MEMORY",
  );
}

/** Throws ERR_OUT_OF_MEMORY where outputs of this many float32 numbers need more memory than is available. */
export function checkOutputMemory(count: number, name: string): void {
  const bytes = count * FLOAT_BYTES;
  const available = availableBytes();
  if (bytes <= available) return;
  throw refused(
    `outputs that fit into the ${inGigabytes(available)} GB of memory available`,
    name,
    `ids whose outputs take ${inGigabytes(bytes)} GB`,
    "ERR_OUT_OF_MEMORY",
  );
}

function inGigabytes(count: number): string {
  return (count / GIGABYTE).toFixed(1);
}

/** The memory available to this process, within its container's limit. */
function availableBytes(): number {
  const limit = process.availableMemory();
  // Only on Linux does free memory include what caches would give back.
  return platform === "linux" ? Math.min(limit, freemem()) : limit;
}
