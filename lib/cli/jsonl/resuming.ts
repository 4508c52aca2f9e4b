// Going on where an earlier run ended: each line of results that is there must be that of its line of the input.
import { type Fields, isFields, parseLine } from "./json-lines.js";
import { type Line, textOf } from "./lines.js";
import type { ResultsFile } from "./results-file.js";
import type { Source, SourceLine } from "./source.js";

/** What a job knows of its lines. */
export interface Matching<Item> {
  /** What a line of the input says. Throws where it can't be worked on. */
  read(text: string): Item;
  /** Whether a line of results is of an item. */
  belongs(item: Item, result: Fields): boolean;
}

/** The last line that was there, to be computed anew: another model or other options give something else. */
export interface Resumed<Item> {
  readonly count: number;
  readonly last: { readonly item: Item; readonly result: Fields; readonly number: number } | undefined;
}

const REMEDY = "give --overwrite to replace what is there, or another --output";
// Far beyond rounding, which another number of threads or another batch changes.
const TOLERANCE = 1e-3;

/** Takes as many lines off the source as the file has results of. Rejects where they don't belong together. */
export async function resume<Item>(
  source: Source,
  file: ResultsFile,
  matching: Matching<Item>,
): Promise<Resumed<Item>> {
  let [count, end] = [0, 0];
  let last: Resumed<Item>["last"];
  for await (const line of file.lines()) {
    if (!line.isComplete) break;
    const { value, done } = await source.lines.next();
    const matched = done === true ? undefined : match(line, value, matching);
    if (matched === undefined) {
      const where = `line ${line.number} of it is not`;
      throw new Error(`Expected results of ${source.name} in ${file.path} but ${where}; ${REMEDY}`);
    }
    if (matched !== "an error") last = { ...matched, number: line.number };
    [count, end] = [count + 1, line.end];
  }
  file.keep(end);
  return { count, last };
}

/** Rejects where the last line that was there isn't what this run gives for it. */
export function checkLast<Item>({ last }: Resumed<Item>, again: Fields, file: ResultsFile): void {
  if (last === undefined || isClose(last.result, JSON.parse(JSON.stringify(again)))) return;
  const where = `line ${last.number} of it differs`;
  throw new Error(`Expected results of this model and these options in ${file.path} but ${where}; ${REMEDY}`);
}

/** What is written for a line that can't be worked on. */
export function errorResult(number: number, message: string): Fields {
  return { line: number, error: message };
}

function match<Item>(line: Line, source: SourceLine, matching: Matching<Item>) {
  try {
    const result = parseLine(textOf(line));
    if (!isFields(result) || result.line !== source.number) return undefined;
    if (Object.keys(result).join() === "line,error") return "an error" as const;
    const item = matching.read(source.text());
    return matching.belongs(item, result) ? { item, result } : undefined;
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
