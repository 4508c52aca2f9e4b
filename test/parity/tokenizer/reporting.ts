// Failures for a person to read: the smallest failing text as code points, with the expected and the received value.
import { compareRows, compareTexts, type Difference } from "./comparing.js";
import type { RustTokenizers } from "./rust.js";
import type { Subject } from "./subjects.js";

const PLAIN_CHARACTERS = ["a", " ", "\u0301"];
const PLAIN_IDS = [3, 4];
const MAX_SHOWN_LENGTH = 600;

/** Minimizes a failing text. Resolves to the difference of the smallest text that still fails in the same way. */
export async function shrinkText(
  rust: RustTokenizers,
  name: string,
  subject: Subject,
  { input, what }: Difference<string>,
): Promise<Difference<string> | undefined> {
  const compare = async (texts: readonly string[]) =>
    compareTexts(subject, texts, await rust.encode(name, texts)).filter((difference) => difference.what === what);
  const smallest = await shrink([...input], PLAIN_CHARACTERS, async (candidates) => {
    const texts = candidates.map((characters) => characters.join(""));
    const failing = new Set((await compare(texts)).map((difference) => difference.input));
    return texts.map((text) => failing.has(text));
  });
  return (await compare([smallest.join("")]))[0];
}

/** Minimizes a failing row of ids, as `shrinkText`. */
export async function shrinkRow(
  rust: RustTokenizers,
  name: string,
  subject: Subject,
  { input, what }: Difference<readonly number[]>,
): Promise<Difference<readonly number[]> | undefined> {
  const compare = async (rows: readonly (readonly number[])[]) =>
    compareRows(subject, rows, await rust.decode(name, rows)).filter((difference) => difference.what === what);
  const smallest = await shrink(input, PLAIN_IDS, async (candidates) => {
    const failing = new Set((await compare(candidates)).map((difference) => difference.input));
    return candidates.map((row) => failing.has(row));
  });
  return (await compare([smallest]))[0];
}

/** Whether each candidate fails. It receives many, since the reference is as fast for many as for one. */
export type Judge<Item> = (candidates: readonly (readonly Item[])[]) => Promise<readonly boolean[]>;

/** Minimizes failing items: removes parts, from halves to single items, then replaces items by plainer ones. */
export async function shrink<Item>(
  items: readonly Item[],
  plainer: readonly Item[],
  fails: Judge<Item>,
): Promise<readonly Item[]> {
  let smallest = items;
  for (let size = Math.ceil(items.length / 2); size >= 1; ) {
    const smaller = await firstFailing(without(smallest, size), fails);
    if (smaller !== undefined) {
      smallest = smaller;
      size = Math.min(size, Math.max(1, Math.ceil(smallest.length / 2)));
    } else if (size === 1) break;
    else size = Math.ceil(size / 2);
  }
  for (const [index, item] of smallest.entries()) {
    const rank = plainer.indexOf(item);
    const replacements = rank < 0 ? plainer : plainer.slice(0, rank);
    const candidates = replacements.map((replacement) => smallest.with(index, replacement));
    smallest = (await firstFailing(candidates, fails)) ?? smallest;
  }
  return smallest;
}

/** A difference in one line. */
export function describeDifference({
  input,
  what,
  expected,
  received,
}: Difference<string | readonly number[]>): string {
  const shown = typeof input === "string" ? `text ${codePoints(input)}` : `ids ${show(input)}`;
  return `${shown}: expected ${what} ${show(expected)} but received ${show(received)}`;
}

/** The code points of a text, for instance `U+0061 U+0301`. */
export function codePoints(text: string): string {
  const names = Array.from(text, (character) => {
    return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  });
  return names.length === 0 ? "(empty)" : names.join(" ");
}

/** A value as JSON; a text with characters beyond ASCII also as code points. */
function show(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  const shown = json.length > MAX_SHOWN_LENGTH ? `${json.slice(0, MAX_SHOWN_LENGTH)}...` : json;
  const isPlain = typeof value !== "string" || /^[ -~]*$/.test(value) || value.length > MAX_SHOWN_LENGTH;
  return isPlain ? shown : `${shown} (${codePoints(value)})`;
}

async function firstFailing<Item>(candidates: readonly (readonly Item[])[], fails: Judge<Item>) {
  if (candidates.length === 0) return undefined;
  const verdicts = await fails(candidates);
  return candidates[verdicts.indexOf(true)];
}

function without<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  const count = Math.ceil(items.length / size);
  if (count < 2) return items.length > 0 ? [[]] : [];
  return Array.from({ length: count }, (_, part) => items.toSpliced(part * size, size));
}
