// Token ids and masks of the caller: checked while they are copied into the int32 matrices that native code reads.
import { endianness } from "node:os";
import { types } from "node:util";
import type { IdMatrix, IdRow } from "../tokenizer/padded-batch.js";
import type { T5Error } from "../util/errors.js";
import { checkInteger, expected, INT32_MAX, isRecord, refused } from "../util/validation.js";

/** A matrix in row-major order. A `Tensor<Int32Array>` with two axes is one too. */
export interface FlatIds {
  readonly data: Int32Array | BigInt64Array;
  /** `[batch, length]` */
  readonly shape: readonly number[];
}

/** Token ids, `[batch, length]`: rows of equal length, or a flat array with its shape. */
export type TokenIds = readonly IdRow[] | FlatIds;

/** The integers that a list or matrix may hold: from 0 up to but not including `end`, and `also`. */
interface Range {
  readonly end: number;
  /** NaN: no other value. */
  readonly also: number;
  readonly refuse: (value: unknown, name: string) => T5Error;
}

/**
 * Copies token ids, `[batch, length]`. Throws ERR_INVALID_ARGUMENT, and ERR_TOKEN_OUT_OF_RANGE for an id out of range.
 */
export function readIds(value: unknown, name: string, vocabSize: number): IdMatrix {
  return readMatrix(value, name, idRange(vocabSize));
}

/** Copies labels: token ids, and `ignored` where the loss ignores a position. Throws as `readIds` does. */
export function readLabels(value: unknown, name: string, vocabSize: number, ignored: number): IdMatrix {
  const refuse = (id: unknown, at: string) => idError(`${anId(vocabSize)} or ${ignored}`, at, id);
  return readMatrix(value, name, { end: vocabSize, also: ignored, refuse });
}

/** Copies one row of token ids. Throws as `readIds` does. */
export function readIdList(value: unknown, name: string, vocabSize: number): Int32Array {
  const { end, refuse } = idRange(vocabSize);
  return readList(value, name, end, refuse);
}

/** One token id. Throws as `readIds` does; `what` describes in the message what is expected. */
export function checkId(value: unknown, name: string, vocabSize: number, what = anId(vocabSize)): number {
  if (isId(value, vocabSize)) return value;
  throw idError(what, name, value);
}

/** Whether a value is a token id. */
export function isId(value: unknown, vocabSize: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < vocabSize;
}

/** A token id, as messages describe it. */
export function anId(vocabSize: number): string {
  return `an id from 0 to ${vocabSize - 1}`;
}

/** Copies a mask of zeros and ones, of the ids' shape, with a one in every row. Throws ERR_INVALID_ARGUMENT. */
export function readMask(value: unknown, name: string, { batch, length }: IdMatrix): Int32Array {
  const refuse = (item: unknown, at: string) => expected("0 or 1", at, item);
  const mask = readMatrix(value, name, { end: 2, also: Number.NaN, refuse });
  if (mask.batch !== batch || mask.length !== length) {
    throw refused(`shape [${batch}, ${length}], as inputIds has,`, name, `[${mask.batch}, ${mask.length}]`);
  }
  for (let row = 0; row < batch; row++) {
    if (!mask.data.subarray(row * length, (row + 1) * length).includes(1)) {
      throw refused("at least one 1", `row ${row} of ${name}`, "zeros only");
    }
  }
  return mask.data;
}

/**
 * Copies a list of integers from 0 up to but not including `end`. Throws what `refuse` returns for any other element.
 */
export function readList(value: unknown, name: string, end: number, refuse: Range["refuse"]): Int32Array {
  if (!isRow(value)) throw expected("an array of integers", name, value);
  const length = checkLength(value, name);
  const data = new Int32Array(length);
  copyRow(value, length, data, 0, name, { end, also: Number.NaN, refuse });
  return data;
}

/** The error for a value that isn't a token id: ERR_TOKEN_OUT_OF_RANGE for an integer, else ERR_INVALID_ARGUMENT. */
export function idError(what: string, name: string, id: unknown): T5Error {
  const isInteger = typeof id === "bigint" || Number.isInteger(id);
  return expected(what, name, id, isInteger ? "ERR_TOKEN_OUT_OF_RANGE" : "ERR_INVALID_ARGUMENT");
}

function idRange(vocabSize: number): Range {
  return { end: vocabSize, also: Number.NaN, refuse: (id, at) => idError(anId(vocabSize), at, id) };
}

function readMatrix(value: unknown, name: string, range: Range): IdMatrix {
  if (Array.isArray(value)) return readRows(value, name, range);
  if (!isRecord(value)) throw expected("rows of ids, or { data, shape },", name, value);
  return readFlat(value, name, range);
}

function readRows(value: readonly unknown[], name: string, range: Range): IdMatrix {
  const batch = checkLength(value, name);
  const rows: IdRow[] = [];
  let length = 0;
  for (let index = 0; index < batch; index++) {
    const row = value[index];
    const at = `${name}[${index}]`;
    if (!isRow(row)) throw expected("an array of ids", at, row);
    if (index === 0) length = checkLength(row, at);
    else if (row.length !== length) throw expected(`${length} ids, as ${name}[0] has,`, at, row.length);
    rows.push(row);
  }
  checkSize(batch * length, name);
  const data = new Int32Array(batch * length);
  for (const [index, row] of rows.entries()) {
    copyRow(row, length, data, index * length, `${name}[${index}]`, range);
  }
  return { batch, length, data };
}

function readFlat(value: Readonly<Record<string, unknown>>, name: string, range: Range): IdMatrix {
  const { data, shape } = value;
  if (!isIdArray(data)) throw expected("an Int32Array or a BigInt64Array", `${name}.data`, data);
  if (!Array.isArray(shape) || shape.length !== 2) throw expected("[batch, length]", `${name}.shape`, shape);
  const batch = checkInteger(shape[0], `${name}.shape[0]`, 1);
  const length = checkInteger(shape[1], `${name}.shape[1]`, 1);
  checkSize(batch * length, name);
  if (data.length !== batch * length) throw expected(`${batch * length} ids`, `${name}.data`, data.length);
  const copy = new Int32Array(data.length);
  copyRow(data, copy.length, copy, 0, `${name}.data`, range);
  return { batch, length, data: copy };
}

/** Checks each value as it copies it, so that a later write by the caller can't change what was checked. */
function copyRow(row: IdRow, length: number, into: Int32Array, start: number, name: string, range: Range): void {
  const { end, also } = range;
  const words = types.isBigInt64Array(row) ? wordsOf(row) : undefined;
  for (let index = 0; index < length; index++) {
    if (words !== undefined) {
      // Without a bigint for each id: a fourth of the time.
      const low = words[2 * index] ?? Number.NaN;
      const isInt32 = words[2 * index + 1] === low >> 31;
      if (isInt32 && ((low >= 0 && low < end) || low === also)) {
        into[start + index] = low;
        continue;
      }
    }
    const value: unknown = row[index];
    const id = typeof value === "bigint" ? Number(value) : value;
    if (typeof id === "number" && ((id >= 0 && id < end && Number.isInteger(id)) || id === also)) {
      into[start + index] = id;
    } else {
      throw range.refuse(value, `${name}[${index}]`);
    }
  }
}

/** The two halves of each number, or undefined where the high one is stored first. */
function wordsOf({ buffer, byteOffset, length }: BigInt64Array): Int32Array | undefined {
  return endianness() === "LE" ? new Int32Array(buffer, byteOffset, 2 * length) : undefined;
}

function checkLength(row: { readonly length: number }, name: string): number {
  const { length } = row;
  if (length === 0) throw expected("at least one element", name, row);
  checkSize(length, name);
  return length;
}

function checkSize(size: number, name: string): void {
  if (!(size <= INT32_MAX)) throw expected(`at most ${INT32_MAX} elements`, name, size);
}

/** Whether a value is an array that may hold ids. */
export function isRow(value: unknown): value is IdRow {
  return Array.isArray(value) || isIdArray(value);
}

/**
 * Whether a value is a typed array of ids. Accepts arrays of another realm (a test runner's, say), as `instanceof`
 * doesn't.
 */
export function isIdArray(value: unknown): value is Int32Array | BigInt64Array {
  return types.isInt32Array(value) || types.isBigInt64Array(value);
}
