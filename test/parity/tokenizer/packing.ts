// Texts and rows of integers as files, in the format of reference/packing.py.
import { readFileSync, rmSync, writeFileSync } from "node:fs";

const INT32_BYTES = 4;

/** Rows of integers, concatenated. */
export interface Rows {
  readonly values: Int32Array;
  /** The start of each row in `values`, and the end of the last one. */
  readonly starts: Int32Array;
  /** The integers that the file has after the rows. */
  readonly rest: Int32Array;
}

/** Writes texts as UTF-8; half a surrogate pair becomes U+FFFD. */
export function writeTexts(path: string, texts: readonly string[]): void {
  const contents = texts.map((text) => Buffer.from(text));
  writeFileSync(path, Buffer.concat([header(contents), ...contents]));
}

export function writeRows(path: string, rows: readonly (readonly number[])[]): void {
  writeFileSync(path, Buffer.concat([header(rows), asBytes(Int32Array.from(rows.flat()))]));
}

/** Reads texts and removes the file. */
export function takeTexts(path: string): string[] {
  const content = take(path);
  const { lengths, position } = readHeader(content);
  let at = position;
  return Array.from(lengths, (length) => {
    at += length;
    return content.toString("utf8", at - length, at);
  });
}

/** Reads rows and removes the file. */
export function takeRows(path: string): Rows {
  const content = take(path);
  const { lengths, position } = readHeader(content);
  const all = asIntegers(content, position, (content.length - position) / INT32_BYTES);
  const starts = new Int32Array(lengths.length + 1);
  for (const [row, length] of lengths.entries()) starts[row + 1] = (starts[row] ?? 0) + length;
  const count = starts.at(-1) ?? 0;
  return { values: all.subarray(0, count), starts, rest: all.subarray(count) };
}

function header(items: readonly { readonly length: number }[]): Buffer {
  return asBytes(Int32Array.from([items.length, ...items.map(({ length }) => length)]));
}

function readHeader(content: Buffer): { readonly lengths: Int32Array; readonly position: number } {
  const count = content.readInt32LE(0);
  return { lengths: asIntegers(content, INT32_BYTES, count), position: INT32_BYTES * (count + 1) };
}

function take(path: string): Buffer {
  const content = readFileSync(path);
  rmSync(path);
  return content;
}

function asBytes(integers: Int32Array): Buffer {
  return Buffer.from(integers.buffer, integers.byteOffset, integers.byteLength);
}

/** A copy, since the bytes of a Buffer may be unaligned. */
function asIntegers(content: Buffer, position: number, count: number): Int32Array {
  return new Int32Array(new Uint8Array(content.subarray(position, position + count * INT32_BYTES)).buffer);
}
