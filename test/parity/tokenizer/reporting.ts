// Failures as a person reads them: the smallest text as code points, what was expected, what came.
import { compareRows, compareTexts, type Difference } from "./comparing.js";
import type { RustTokenizers } from "./rust.js";
import { shrink } from "./shrinking.js";
import type { Subject } from "./subject.js";

const PLAIN_CHARACTERS = ["a", " ", "\u0301"];
const PLAIN_IDS = [3, 4];
const LONGEST_VALUE = 600;

/** The smallest text within a failing one that still fails, with what is wrong about it. */
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

/** The smallest row of ids within a failing one that still fails. */
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

/** A text as its code points, for instance `U+0061 U+0301`. */
export function codePoints(text: string): string {
  const names = Array.from(text, (character) => {
    return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  });
  return names.length === 0 ? "(empty)" : names.join(" ");
}

/** Whatever it is, as JSON, and a text that is not plain as its code points too. */
function show(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  const shown = json.length > LONGEST_VALUE ? `${json.slice(0, LONGEST_VALUE)}...` : json;
  const isPlain = typeof value !== "string" || /^[ -~]*$/.test(value) || value.length > LONGEST_VALUE;
  return isPlain ? shown : `${shown} (${codePoints(value)})`;
}
