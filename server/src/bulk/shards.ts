// The shards of an input of JSON Lines.
import { createReadStream } from "node:fs";
import type { BulkLine } from "./queue.js";

/** Consecutive lines, and where in the file they end. */
export interface InputShard {
  /** From 0, of the whole input. */
  readonly index: number;
  readonly lines: readonly BulkLine[];
  /** The byte after the last line. */
  readonly end: number;
  /** The number of the last line. */
  readonly lastLine: number;
}

/** The place in an input where a run continues. */
export interface Position {
  readonly index: number;
  readonly end: number;
  readonly lastLine: number;
}

const NEWLINE = 0x0a;

/** The shards after a position. Blank lines are counted, and are in none. */
export async function* readShards(path: string, size: number, from: Position): AsyncGenerator<InputShard> {
  let lines: BulkLine[] = [];
  let { index, end, lastLine } = from;
  for await (const bytes of readLines(path, end)) {
    end += bytes.length;
    lastLine++;
    const text = textOf(bytes);
    if (text?.trim() === "") continue;
    lines.push({ number: lastLine, text });
    if (lines.length < size) continue;
    yield { index: index++, lines, end, lastLine };
    lines = [];
  }
  if (lines.length > 0) yield { index, lines, end, lastLine };
}

/** The lines of a file with their newlines. */
async function* readLines(path: string, start: number): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  for await (const chunk of createReadStream(path, { start }) as AsyncIterable<Buffer>) {
    let begin = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, begin)) {
      yield Buffer.concat([...pieces, chunk.subarray(begin, at + 1)]);
      pieces = [];
      begin = at + 1;
    }
    if (begin < chunk.length) pieces.push(chunk.subarray(begin));
  }
  if (pieces.length > 0) yield Buffer.concat(pieces);
}

function textOf(bytes: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replace(/\r?\n$/, "");
  } catch {
    return null;
  }
}
