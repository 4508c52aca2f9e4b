// A text while it is changed: its characters, and which part of the original each one stands for.

const LEAST_ROOM = 256;
/** More room than this isn't kept for the next text. */
export const MOST_ROOM_KEPT = 2 ** 16;

/** Characters as code points, each with the range of UTF-16 units of the original that it comes from. */
export class AlignedText {
  codes = new Int32Array(LEAST_ROOM);
  starts = new Int32Array(LEAST_ROOM);
  ends = new Int32Array(LEAST_ROOM);
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

  /** Empties it, and gives back what a long text took. */
  clear(): void {
    this.length = 0;
    if (this.codes.length <= MOST_ROOM_KEPT) return;
    this.codes = new Int32Array(LEAST_ROOM);
    this.starts = new Int32Array(LEAST_ROOM);
    this.ends = new Int32Array(LEAST_ROOM);
  }

  push(code: number, start: number, end: number): void {
    if (this.length === this.codes.length) this.reserve(1);
    const index = this.length++;
    this.codes[index] = code;
    this.starts[index] = start;
    this.ends[index] = end;
  }

  /** Appends a part of another text. */
  append(source: AlignedText, from: number, to: number): void {
    this.reserve(to - from);
    this.codes.set(source.codes.subarray(from, to), this.length);
    this.starts.set(source.starts.subarray(from, to), this.length);
    this.ends.set(source.ends.subarray(from, to), this.length);
    this.length += to - from;
  }

  /** Becomes a string, in which every character is one of UTF-8: half a surrogate pair is U+FFFD. */
  read(text: string): void {
    const { length } = text;
    this.length = 0;
    this.reserve(length);
    const { codes, starts, ends } = this;
    let count = 0;
    for (let index = 0; index < length; ) {
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
  }

  /** A part of it as a string. */
  toString(from = 0, to = this.length): string {
    return stringOf(this.codes, from, to);
  }
}

/** As many arguments as a call takes without a deep stack. */
const MOST_ARGUMENTS = 4096;

/** Code points as a string. */
export function stringOf(codes: Int32Array, from: number, to: number): string {
  let text = "";
  for (let start = from; start < to; start += MOST_ARGUMENTS) {
    text += String.fromCodePoint(...codes.subarray(start, Math.min(to, start + MOST_ARGUMENTS)));
  }
  return text;
}

/** The code points of a well-formed string. */
export function codesOf(text: string): Int32Array {
  const codes = new AlignedText();
  codes.read(text);
  return codes.codes.slice(0, codes.length);
}

function grown(array: Int32Array, room: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(room);
  larger.set(array);
  return larger;
}
