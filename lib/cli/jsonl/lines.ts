// The lines of a file or a stream. Only "\n" ends a line: JSON strings may hold U+2028 and a lone "\r" as they are.
import type { Readable } from "node:stream";

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface Line {
  /** 1 for the first line. */
  readonly number: number;
  /** Without what ends it. */
  readonly bytes: Buffer;
  /** Where the next line begins, in bytes from the start. */
  readonly end: number;
  /** Whether a newline ends it: the last line of a file that was cut off has none. */
  readonly isComplete: boolean;
}

/** Splits what a stream gives, however it is cut into chunks. Holds one line at a time. */
export async function* readLines(stream: Readable): AsyncGenerator<Line> {
  let pieces: Buffer[] = [];
  let number = 1;
  let end = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      const bytes = Buffer.concat([...pieces, chunk.subarray(start, at)]);
      end += bytes.length + 1;
      yield { number, bytes: withoutReturn(bytes), end, isComplete: true };
      pieces = [];
      number++;
      start = at + 1;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
  }
  const bytes = Buffer.concat(pieces);
  if (bytes.length > 0) yield { number, bytes, end: end + bytes.length, isComplete: false };
}

/** The text of a line. Throws where it isn't UTF-8; a byte order mark is left out. */
export function textOf({ bytes }: Line): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("Expected UTF-8 but received other bytes");
  }
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
}
