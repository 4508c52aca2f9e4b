// Rows of ids of different lengths as one padded matrix.
import type { Sliced } from "../util/slices.js";

/** The rows that are copied between two interruptions. */
const SLICED_ROWS = 16;

/** The ids of one row. */
export type IdRow = readonly number[] | readonly bigint[] | Int32Array | BigInt64Array;

/** Ids in row-major order, `[batch, length]`. */
export interface IdMatrix {
  readonly batch: number;
  readonly length: number;
  readonly data: Int32Array;
}

/** The ids of a batch with their mask, in one shape from the tokenizer to native code. */
export interface PaddedBatch {
  readonly batch: number;
  readonly length: number;
  /** `[batch, length]` in row-major order. */
  readonly inputIds: Int32Array;
  /** 1 at ids, 0 at padding, `[batch, length]`; undefined: all ones. */
  readonly attentionMask: Int32Array | undefined;
  /** Whether each row's text was truncated; absent where nothing could be. */
  readonly truncated?: readonly boolean[];
}

/** Pads rows on the right to the length of the longest one, or to the next multiple of `multiple`. */
export function* padRows(rows: readonly Int32Array[], padTokenId: number, multiple = 1): Sliced<PaddedBatch> {
  const batch = rows.length;
  const maxLength = rows.reduce((max, row) => Math.max(max, row.length), 0);
  const length = Math.ceil(maxLength / multiple) * multiple;
  const isPadded = rows.some((row) => row.length < length);
  const inputIds = new Int32Array(batch * length);
  if (isPadded && padTokenId !== 0) inputIds.fill(padTokenId);
  const attentionMask = isPadded ? new Int32Array(inputIds.length) : undefined;
  for (const [row, ids] of rows.entries()) {
    if ((row + 1) % SLICED_ROWS === 0) yield;
    inputIds.set(ids, row * length);
    attentionMask?.fill(1, row * length, row * length + ids.length);
  }
  return { batch, length, inputIds, attentionMask };
}
