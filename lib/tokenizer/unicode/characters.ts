// Kinds of characters, as Rust has them.
import { LOWER, MARK, WHITE_SPACE, WORD } from "./simple-data.js";
import { fillRuns, lazyTable, readMapping } from "./tables.js";

const FILE_SEPARATOR = 0x1c;
const UNIT_SEPARATOR = 0x1f;

const whiteSpace = lazyTable((table) => fillRuns(table, WHITE_SPACE, 1));
const words = lazyTable((table) => fillRuns(table, WORD, 1));
const marks = lazyTable((table) => fillRuns(table, MARK, 1));
let lower: ReadonlyMap<number, readonly number[]> | undefined;

/** 1 at white space: `char::is_whitespace`, and `\s` of a regular expression. */
export const whiteSpaceTable = whiteSpace;

/** The same for Python's `str.strip`, which takes four control characters more. */
export const pythonWhiteSpaceTable = lazyTable((table) => {
  fillRuns(table, WHITE_SPACE, 1);
  table.fill(1, FILE_SEPARATOR, UNIT_SEPARATOR + 1);
});

/** `\w` of a regular expression. */
export function isWord(code: number): boolean {
  return words()[code] === 1;
}

/** 1 at the combining marks that StripAccents takes away. */
export const markTable = marks;

/** What a character is in lower case, where that isn't itself: `char::to_lowercase`. */
export function lowerCase(code: number): readonly number[] | undefined {
  lower ??= readMapping(LOWER);
  return lower.get(code);
}
