// Rows of ids of different lengths become one padded matrix.

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
}

/** Pads rows on the right to the length of the longest one, or to the next multiple of `multiple`. */
export function padRows(rows: readonly ArrayLike<number>[], padding: number, multiple = 1): PaddedBatch {
  const padded = makePadded(rows, padding, multiple);
  for (const [row, ids] of rows.entries()) putRow(padded, row, ids);
  return padded;
}

/** Padding alone, in which rows of this many and of these lengths have room. */
export function makePadded(rows: readonly ArrayLike<number>[], padding: number, multiple = 1): PaddedBatch {
  const batch = rows.length;
  const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const length = Math.ceil(longest / multiple) * multiple;
  const isPadded = rows.some((row) => row.length < length);
  const inputIds = new Int32Array(batch * length);
  if (isPadded && padding !== 0) inputIds.fill(padding);
  return { batch, length, inputIds, attentionMask: isPadded ? new Int32Array(inputIds.length) : undefined };
}

/** Puts a row in its place. */
export function putRow({ length, inputIds, attentionMask }: PaddedBatch, row: number, ids: ArrayLike<number>): void {
  inputIds.set(ids, row * length);
  attentionMask?.fill(1, row * length, row * length + ids.length);
}
