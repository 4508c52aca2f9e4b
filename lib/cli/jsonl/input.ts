// What a command reads: JSON Lines from a file or standard input, or texts from the command line or standard input.
import { fstatSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { stdin } from "node:process";
import type { Readable } from "node:stream";
import { messageOf, UsageError } from "../terminal/command.js";
import { readLines, textOf } from "./json-lines.js";

/** A line of an input. */
export interface InputLine {
  /** 1 for the first line. */
  readonly number: number;
  /** The byte offset of the next line. */
  readonly end: number;
  /** Throws where the line isn't UTF-8. */
  text(): string;
}

/** The lines that a command works on. */
export interface Input {
  /** The input's name in messages. */
  readonly name: string;
  readonly lines: AsyncIterator<InputLine>;
  /** The size of the input, where it is known. */
  readonly bytes: number | undefined;
}

const STDIN = "-";
const STDIN_NAME = "standard input";
const SPACE = 0x20;
const TAB = 0x09;

/** The lines of a file, or of standard input where `path` is undefined, without the blank ones. Throws UsageError. */
export async function openInput(path: string | undefined): Promise<Input> {
  if (path === undefined) return { name: STDIN_NAME, lines: filledLines(stdin), bytes: sizeOf(stdin.fd) };
  const handle = await openFile(path);
  return { name: path, lines: filledLines(handle.createReadStream()), bytes: sizeOf(handle.fd) };
}

/** Texts as an input of one line each. */
export function inputOf(texts: AsyncIterable<string>): Input {
  return { name: "the texts", lines: numbered(texts), bytes: undefined };
}

/**
 * The texts that a command line names: its arguments, or for "-" the lines of standard input, which are read when they
 * are iterated. Throws UsageError.
 */
export function readTexts(positionals: readonly string[]): AsyncIterable<string> {
  if (positionals.length === 0) throw new UsageError('Expected a text, or "-" for standard input, but received none');
  if (!positionals.includes(STDIN)) return each(positionals);
  if (positionals.length > 1) throw new UsageError('Expected "-" alone but received other texts with it');
  return standardInputTexts();
}

/** The result of `read`. If it throws, the message of the error begins with the input's name and the line's number. */
export function atLine<Result>(name: string, number: number, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw new Error(lineMessage(name, number, messageOf(error)));
  }
}

/** A message about a line of an input. */
export function lineMessage(name: string, number: number, message: string): string {
  return `${name} line ${number}: ${message}`;
}

/** All items of an iterable. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** The items in groups of `size`; the last group may be smaller. */
export async function* batched<Item>(items: AsyncIterable<Item>, size: number): AsyncGenerator<readonly Item[]> {
  let batch: Item[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    const { code = "an error" } = error as NodeJS.ErrnoException;
    throw new UsageError(`Expected a file that can be read for --input but received ${JSON.stringify(path)} (${code})`);
  }
}

async function* filledLines(stream: Readable): AsyncGenerator<InputLine> {
  for await (const line of readLines(stream)) {
    const { number, end, bytes } = line;
    if (!isBlank(bytes)) yield { number, end, text: () => textOf(line) };
  }
}

async function* numbered(texts: AsyncIterable<string>): AsyncGenerator<InputLine> {
  let number = 0;
  for await (const text of texts) yield { number: ++number, end: 0, text: () => text };
}

async function* each(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}

async function* standardInputTexts(): AsyncGenerator<string> {
  let isEmpty = true;
  for await (const line of readLines(stdin)) {
    isEmpty = false;
    yield atLine(STDIN_NAME, line.number, () => textOf(line));
  }
  if (isEmpty) throw new UsageError("Expected at least one line on standard input but received none");
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === SPACE || byte === TAB);
}

/** The size of a file, also of one that standard input is redirected from. A pipe has none. */
function sizeOf(fd: number): number | undefined {
  const stats = fstatSync(fd);
  return stats.isFile() ? stats.size : undefined;
}
