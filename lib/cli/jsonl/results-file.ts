// The file that a job writes its results to, one line each. It only grows at its end, so that an interrupted job can be
// resumed: the results that are there are compared with their lines of the input, and the job continues after them.
import { type FileHandle, open, stat } from "node:fs/promises";
import { UsageError } from "../terminal/command.js";
import type { Input, InputLine } from "./input.js";
import { type Fields, isFields, type Line, parseLine, readLines, textOf } from "./json-lines.js";

/** How a job reads a line of its input, and recognizes the line's result. */
export interface LineReader<Item> {
  /** Throws where the line is invalid. */
  read(text: string): Item;
  isResultOf(item: Item, result: Fields): boolean;
}

/** What earlier runs have done. */
export interface EarlierResults<Item> {
  readonly count: number;
  /**
   * The last result that isn't an error. It is computed again, because another model or other options give another one.
   */
  readonly last: { readonly item: Item; readonly result: Fields; readonly number: number } | undefined;
}

const REMEDY = "use --overwrite to replace the file, or another --output";
/** Rounding depends on the number of threads and on the batch, but differs by far less. */
const TOLERANCE = 1e-3;

export class ResultsFile {
  readonly path: string;
  readonly #handle: FileHandle;
  /** Whether the path is a regular file, and not a pipe or a device. */
  readonly #isRegular: boolean;
  readonly #overwrites: boolean;
  /** The bytes at the beginning that stay; undefined once the file has been truncated to them. */
  #kept: number | undefined = 0;

  private constructor(path: string, handle: FileHandle, isRegular: boolean, overwrites: boolean) {
    this.path = path;
    this.#handle = handle;
    this.#isRegular = isRegular;
    this.#overwrites = overwrites;
  }

  /** Opens a file, or makes it. Changes nothing in it yet. Throws UsageError. */
  static async open(path: string, overwrites: boolean): Promise<ResultsFile> {
    try {
      // A pipe is opened for writing only: opened for reading as well, it would never report that its reader has gone.
      const isRegular = (await stat(path).catch(() => undefined))?.isFile() ?? true;
      return new ResultsFile(path, await open(path, isRegular ? "a+" : "a"), isRegular, overwrites);
    } catch (error) {
      const { code = "an error" } = error as NodeJS.ErrnoException;
      throw new UsageError(
        `Expected a file that can be written for --output but received ${JSON.stringify(path)} (${code})`,
      );
    }
  }

  /** The lines of earlier runs that aren't to be overwritten. */
  async *lines(): AsyncGenerator<Line> {
    if (!this.#isRegular || this.#overwrites) return;
    yield* readLines(this.#handle.createReadStream({ start: 0, autoClose: false }));
  }

  /** Sets how many bytes stay when the file is next written to. */
  keep(bytes: number): void {
    this.#kept = bytes;
  }

  /** Adds a line. */
  async append(line: string): Promise<void> {
    await this.truncate();
    await this.#handle.appendFile(`${line}\n`);
  }

  /** Truncates the file to the bytes that `keep` has set, unless a line has been added since. */
  async truncate(): Promise<void> {
    if (this.#kept !== undefined && this.#isRegular) await this.#handle.truncate(this.#kept);
    this.#kept = undefined;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Skips the input's lines that the file has results of. Rejects where a result doesn't match its line. */
export async function skipDone<Item>(
  input: Input,
  file: ResultsFile,
  reader: LineReader<Item>,
): Promise<EarlierResults<Item>> {
  let [count, end] = [0, 0];
  let last: EarlierResults<Item>["last"];
  for await (const line of file.lines()) {
    if (!line.isComplete) break;
    const { value, done } = await input.lines.next();
    const matched = done === true ? undefined : match(line, value, reader);
    if (matched === undefined) {
      const mismatch = `line ${line.number} doesn't match the input`;
      throw new Error(`Expected results of ${input.name} in ${file.path} but ${mismatch}; ${REMEDY}`);
    }
    if (matched !== "error") last = { ...matched, number: line.number };
    [count, end] = [count + 1, line.end];
  }
  file.keep(end);
  return { count, last };
}

/** Throws where the last result of earlier runs differs from `again`, which this run has computed for the same line. */
export function checkLastResult<Item>({ last }: EarlierResults<Item>, again: Fields, file: ResultsFile): void {
  if (last === undefined || isClose(last.result, JSON.parse(JSON.stringify(again)))) return;
  const difference = `line ${last.number} differs`;
  throw new Error(`Expected results of this model and these options in ${file.path} but ${difference}; ${REMEDY}`);
}

/** The result of an invalid line. */
export function errorResult(number: number, message: string): Fields {
  return { line: number, error: message };
}

function match<Item>(line: Line, inputLine: InputLine, reader: LineReader<Item>) {
  try {
    const result = parseLine(textOf(line));
    if (!isFields(result) || result.line !== inputLine.number) return undefined;
    if (Object.keys(result).join() === "line,error") return "error" as const;
    const item = reader.read(inputLine.text());
    return reader.isResultOf(item, result) ? { item, result } : undefined;
  } catch {
    return undefined;
  }
}

function isClose(one: unknown, other: unknown): boolean {
  if (typeof one === "number" && typeof other === "number") {
    return Math.abs(one - other) <= TOLERANCE * Math.max(1, Math.abs(one), Math.abs(other));
  }
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return one === other;
  const [ours, theirs] = [Object.entries(one), Object.entries(other)];
  return (
    ours.length === theirs.length &&
    ours.every(([name, value], index) => theirs[index]?.[0] === name && isClose(value, theirs[index]?.[1]))
  );
}
