// What a job reads: JSON Lines of a file or of standard input, or texts.
import { fstatSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { stdin } from "node:process";
import type { Readable } from "node:stream";
import { UsageError } from "../terminal/command.js";
import { readLines, textOf } from "./lines.js";

export interface SourceLine {
  /** 1 for the first line. */
  readonly number: number;
  /** Where the next line begins, in bytes from the start. */
  readonly end: number;
  /** Throws where the line is no text. */
  text(): string;
}

export interface Source {
  /** How messages call it. */
  readonly name: string;
  readonly lines: AsyncIterator<SourceLine>;
  /** Bytes in all, where that is known. */
  readonly bytes: number | undefined;
}

/** JSON Lines of a file, or of standard input where no path is given. Empty lines are left out. */
export async function openSource(path: string | undefined): Promise<Source> {
  if (path === undefined) {
    return { name: "standard input", lines: filled(stdin), bytes: sizeOf(stdin.fd) };
  }
  const handle = await openInput(path);
  return { name: path, lines: filled(handle.createReadStream()), bytes: sizeOf(handle.fd) };
}

/** Texts as the lines of a source. */
export async function* numbered(texts: AsyncIterable<string>): AsyncGenerator<SourceLine> {
  let number = 0;
  for await (const text of texts) yield { number: ++number, end: 0, text: () => text };
}

async function openInput(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    const { code = "an error" } = error as NodeJS.ErrnoException;
    throw new UsageError(`Expected a file that can be read for --input but received ${JSON.stringify(path)} (${code})`);
  }
}

async function* filled(stream: Readable): AsyncGenerator<SourceLine> {
  for await (const line of readLines(stream)) {
    const { number, end, bytes } = line;
    if (!isBlank(bytes)) yield { number, end, text: () => textOf(line) };
  }
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09);
}

/** A pipe has no size; a file that standard input is redirected from has one. */
function sizeOf(fd: number): number | undefined {
  const stats = fstatSync(fd);
  return stats.isFile() ? stats.size : undefined;
}
