// The texts of a command: its arguments, or the lines of standard input.
import { stdin } from "node:process";
import { UsageError } from "../terminal/command.js";
import { readLines, textOf } from "./lines.js";

const STDIN = "-";

/** Checks the arguments at once; the lines of standard input are read when they are asked for. Throws UsageError. */
export function readTexts(positionals: readonly string[]): AsyncIterable<string> {
  if (positionals.length === 0) throw new UsageError('Expected a text, or "-" for standard input, but received none');
  if (!positionals.includes(STDIN)) return each(positionals);
  if (positionals.length > 1) throw new UsageError('Expected "-" alone but received other texts with it');
  return standardInput();
}

/** All of them at once. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const collected: Item[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Groups of `size` items; the last one may be smaller. */
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

async function* each(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}

async function* standardInput(): AsyncGenerator<string> {
  let isEmpty = true;
  for await (const line of readLines(stdin)) {
    isEmpty = false;
    yield textAt(line.number, () => textOf(line));
  }
  if (isEmpty) throw new UsageError("Expected at least one line on standard input but received none");
}

function textAt(number: number, read: () => string): string {
  try {
    return read();
  } catch (error) {
    throw new Error(`standard input line ${number}: ${error instanceof Error ? error.message : "unreadable"}`);
  }
}
