// Compares a tokenizer with the reference, text by text: ids, offsets, and the decoded text of the ids.
import type { Answers, Decoded } from "./rust.js";
import type { Subject } from "./subjects.js";

/** One text in this many is also decoded as a stream; of random rows of ids, all are. */
const STREAM_INTERVAL = 8;

/** Half of a surrogate pair. */
const HALF_CHARACTER = /\p{Surrogate}/u;

type DecodedText = "text" | "text without special tokens";

/** A text, or row of ids, for which the tokenizer and the reference differ. */
export interface Difference<Input> {
  readonly input: Input;
  readonly what: "ids" | "offsets" | DecodedText | `pieces of the ${DecodedText}` | "error";
  readonly expected: unknown;
  readonly received: unknown;
}

/** The texts for which a tokenizer's results differ from the reference's. */
export function compareTexts(subject: Subject, texts: readonly string[], answers: Answers): Difference<string>[] {
  const { values, starts } = answers.ids;
  return texts.flatMap((text, row) => {
    const begin = starts[row] ?? 0;
    const end = starts[row + 1] ?? 0;
    const ids = values.subarray(begin, end);
    const offsets = answers.offsets.subarray(2 * begin, 2 * end);
    return attempt(text, () => {
      const encoded = subject.encode(text);
      if (!areEqual(encoded.ids, ids)) return found(text, "ids", [...ids], Array.from(encoded.ids));
      const received = encoded.offsets && toCodePoints(text, encoded.offsets);
      if (received !== undefined && answers.offsets.length > 0 && !areEqual(received, offsets)) {
        return found(text, "offsets", [...offsets], Array.from(received));
      }
      return compareDecoded(
        row % STREAM_INTERVAL === 0 ? subject : withoutStream(subject),
        text,
        [...ids],
        answers,
        row,
      );
    });
  });
}

/** The rows of ids for which a tokenizer's decoded texts differ from the reference's. */
export function compareRows(
  subject: Subject,
  rows: readonly (readonly number[])[],
  decoded: Decoded,
): Difference<readonly number[]>[] {
  return rows.flatMap((ids, row) => attempt(ids, () => compareDecoded(subject, ids, ids, decoded, row)));
}

function withoutStream({ encode, decode }: Subject): Subject {
  return { encode, decode };
}

function compareDecoded<Input>(
  subject: Subject,
  input: Input,
  ids: readonly number[],
  { whole, skipped }: Decoded,
  row: number,
): Difference<Input> | undefined {
  return (
    compareText(subject, input, ids, "text", whole[row] ?? "") ??
    compareText(subject, input, ids, "text without special tokens", skipped[row] ?? "")
  );
}

function compareText<Input>(
  subject: Subject,
  input: Input,
  ids: readonly number[],
  what: DecodedText,
  expected: string,
): Difference<Input> | undefined {
  const skip = what === "text without special tokens";
  const received = subject.decode(ids, skip);
  if (received !== expected) return found(input, what, expected, received);
  const pieces = subject.stream?.(ids, skip);
  if (pieces === undefined || (pieces.join("") === expected && !pieces.some((piece) => HALF_CHARACTER.test(piece))))
    return;
  return found(input, `pieces of the ${what}`, expected, pieces);
}

function attempt<Input>(input: Input, compare: () => Difference<Input> | undefined): Difference<Input>[] {
  try {
    const difference = compare();
    return difference === undefined ? [] : [difference];
  } catch (error) {
    return [found(input, "error", "none", String(error))];
  }
}

function found<Input>(
  input: Input,
  what: Difference<Input>["what"],
  expected: unknown,
  received: unknown,
): Difference<Input> {
  return { input, what, expected, received };
}

function areEqual(left: ArrayLike<number>, right: ArrayLike<number>): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return false;
  return true;
}

/** Converts offsets in UTF-16 units to offsets in code points; NaN for one within a surrogate pair. */
function toCodePoints(text: string, offsets: ArrayLike<number>): ArrayLike<number> {
  const units = [...text].map(({ length }) => length);
  if (units.length === text.length) return offsets;
  const codePointAt = new Array<number>(text.length + 1).fill(Number.NaN);
  let unit = 0;
  for (const [index, length] of units.entries()) {
    codePointAt[unit] = index;
    unit += length;
  }
  codePointAt[unit] = units.length;
  return Array.from(offsets, (offset) => codePointAt[offset] ?? Number.NaN);
}
