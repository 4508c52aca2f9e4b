// A text while it is normalized: its code points, each with the part of the original that it comes from.
import type { Sliced } from "../util/slices.js";

const MIN_ROOM = 256;
/** Characters that are copied at once: much faster than others are worked on. */
const COPIED_CHARACTERS = 2 ** 15;
/** A buffer that a long text has grown beyond this length is released when it is cleared. */
export const MAX_ROOM_KEPT = 2 ** 16;
/** Arguments that one call of `String.fromCodePoint` takes without a deep stack. */
const MAX_ARGUMENTS = 4096;

/** Rust's `NormalizedString`: code points, each with its range of UTF-16 units in the original text. */
export class NormalizedString {
  codes = new Int32Array(MIN_ROOM);
  starts = new Int32Array(MIN_ROOM);
  ends = new Int32Array(MIN_ROOM);
  length = 0;

  /** Makes room for `count` more characters. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.codes.length) return;
    const room = Math.max(needed, 2 * this.codes.length);
    this.codes = grown(this.codes, room);
    this.starts = grown(this.starts, room);
    this.ends = grown(this.ends, room);
  }

  /** Removes all characters, and releases the buffers of a long text. */
  clear(): void {
    this.length = 0;
    if (this.codes.length <= MAX_ROOM_KEPT) return;
    this.codes = new Int32Array(MIN_ROOM);
    this.starts = new Int32Array(MIN_ROOM);
    this.ends = new Int32Array(MIN_ROOM);
  }

  push(code: number, start: number, end: number): void {
    if (this.length === this.codes.length) this.reserve(1);
    const index = this.length++;
    this.codes[index] = code;
    this.starts[index] = start;
    this.ends[index] = end;
  }

  /** Appends `source[from, to)`, which may be long. */
  *appendLong(source: NormalizedString, from: number, to: number): Sliced<void> {
    this.reserve(to - from);
    for (let start = from; start < to; start += COPIED_CHARACTERS) {
      if (start > from) yield;
      this.append(source, start, Math.min(to, start + COPIED_CHARACTERS));
    }
  }

  /** Appends `source[from, to)`. */
  append(source: NormalizedString, from: number, to: number): void {
    this.reserve(to - from);
    this.codes.set(source.codes.subarray(from, to), this.length);
    this.starts.set(source.starts.subarray(from, to), this.length);
    this.ends.set(source.ends.subarray(from, to), this.length);
    this.length += to - from;
  }

  /**
   * Appends the characters of a string that begin in its units from `from` on, in `maxUnits` of them at most. Returns
   * where the next character begins. Half of a surrogate pair becomes U+FFFD, as in UTF-8.
   */
  read(text: string, from = 0, maxUnits = text.length): number {
    const { length } = text;
    this.reserve(length - from);
    const to = Math.min(length, from + maxUnits);
    const { codes, starts, ends } = this;
    let count = this.length;
    let index = from;
    while (index < to) {
      const start = index;
      const unit = text.charCodeAt(index++);
      let code = unit;
      if ((unit & 0xf800) === 0xd800) {
        const next = index < length ? text.charCodeAt(index) : 0;
        if (unit < 0xdc00 && (next & 0xfc00) === 0xdc00) {
          index++;
          code = 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00);
        } else {
          code = 0xfffd;
        }
      }
      codes[count] = code;
      starts[count] = start;
      ends[count] = index;
      count++;
    }
    this.length = count;
    return index;
  }

  /** The characters in `[from, to)` as a string. */
  *text(from = 0, to = this.length): Sliced<string> {
    let text = "";
    for (let start = from; start < to; start += MAX_ARGUMENTS) {
      if (start > from) yield;
      text += String.fromCodePoint(...this.codes.subarray(start, Math.min(to, start + MAX_ARGUMENTS)));
    }
    return text;
  }
}

/**
 * Writes the changed form of `source[from, to)` to the end of `target`, first character first, with the offsets that
 * Rust's `NormalizedString::transform` gives.
 */
export class Transformation {
  readonly #source: NormalizedString;
  readonly #target: NormalizedString;
  readonly #begin: number;
  readonly #end: number;
  /** The length of the target before the first character was written. */
  readonly #base: number;
  /** The source character that the next written one stands for. */
  #next: number;
  #wasInserted = false;

  constructor(source: NormalizedString, from: number, to: number, target: NormalizedString) {
    this.#source = source;
    this.#target = target;
    this.#begin = from;
    this.#end = to;
    this.#next = from;
    this.#base = target.length;
  }

  /** Writes a character with the offsets of the next source character, and drops the `removed` ones after that. */
  replace(code: number, removed = 0): void {
    const index = this.#next;
    this.#target.push(code, this.#source.starts[index] ?? 0, this.#source.ends[index] ?? 0);
    this.#skip(1 + removed);
    this.#wasInserted = false;
  }

  /** Writes a character with the offsets of the last source character passed; an empty range at the beginning. */
  insert(code: number): void {
    const index = this.#next - 1;
    const { starts, ends } = this.#source;
    if (index < this.#begin) {
      const start = starts[this.#begin] ?? 0;
      this.#target.push(code, start, start);
    } else {
      this.#target.push(code, starts[index] ?? 0, ends[index] ?? 0);
    }
    this.#wasInserted = true;
  }

  /**
   * Drops the next `count` source characters. A character that was inserted just before takes the offsets of the first
   * one. Before anything is written this does nothing: the next written character takes their offsets, as in Rust.
   */
  remove(count: number): void {
    const target = this.#target;
    if (target.length === this.#base) return;
    if (this.#wasInserted) {
      target.starts[target.length - 1] = this.#source.starts[this.#next] ?? 0;
      target.ends[target.length - 1] = this.#source.ends[this.#next] ?? 0;
      this.#wasInserted = false;
    }
    this.#skip(count);
  }

  #skip(count: number): void {
    this.#next = Math.min(this.#end, this.#next + count);
  }
}

/** The code points of a well-formed string. */
export function codePointsOf(text: string): Int32Array {
  const string = new NormalizedString();
  string.read(text);
  return string.codes.slice(0, string.length);
}

/** A copy of an array with room for more elements. */
export function grown(array: Int32Array, room: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(room);
  larger.set(array);
  return larger;
}
