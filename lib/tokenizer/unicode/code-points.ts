// Tables of code points, and those of white space, words, marks and case, of the Unicode version of Rust's tokenizers.
// The data files of this folder have numbers in base 36, and differences instead of code points; scripts/unicode-tables
// writes them.
import { LOWER, MARK, WHITE_SPACE, WORD } from "./simple-data.js";

export const CODE_POINTS = 0x110000;
/** The base of the numbers in the data files. */
export const RADIX = 36;

const FILE_SEPARATOR = 0x1c;
const UNIT_SEPARATOR = 0x1f;

/** White space of Rust's `char::is_whitespace` and of `\s` in its regular expressions: 1 at its code points. */
export const whiteSpaceTable = lazyTable((table) => fillRuns(table, WHITE_SPACE, 1));

/** White space of Python's `str.strip`, which includes four more control characters. */
export const pythonWhiteSpaceTable = lazyTable((table) => {
  fillRuns(table, WHITE_SPACE, 1);
  table.fill(1, FILE_SEPARATOR, UNIT_SEPARATOR + 1);
});

/** The combining marks that StripAccents removes: 1 at their code points. */
export const markTable = lazyTable((table) => fillRuns(table, MARK, 1));

const wordTable = lazyTable((table) => fillRuns(table, WORD, 1));
let lowerCases: ReadonlyMap<number, readonly number[]> | undefined;

/** Whether a code point matches `\w` in a regular expression of Rust. */
export function isWord(code: number): boolean {
  return wordTable()[code] === 1;
}

/** The lower case of a code point, Rust's `char::to_lowercase`, or undefined if it is that code point itself. */
export function lowerCase(code: number): readonly number[] | undefined {
  lowerCases ??= readMapping(LOWER);
  return lowerCases.get(code);
}

/** Sets `value` at every code point of `runs`: for each run the gap before it, and its length minus 1. */
export function fillRuns(table: Uint8Array, runs: string, value: number): void {
  const numbers = runs.split(" ");
  let end = 0;
  for (let index = 0; index + 1 < numbers.length; index += 2) {
    const first = end + readNumber(numbers[index]);
    end = first + readNumber(numbers[index + 1]) + 1;
    table.fill(value, first, end);
  }
}

/** A map from code points to sequences: each entry has the gap before its code point, then the sequence. */
export function readMapping(text: string): ReadonlyMap<number, readonly number[]> {
  let end = 0;
  return new Map(
    text.split(" ").map((entry) => {
      const [gap = 0, ...sequence] = entry.split(".").map(readNumber);
      const code = end + gap;
      end = code + 1;
      return [code, sequence] as const;
    }),
  );
}

/** A table of one byte for each code point, filled on first use. */
export function lazyTable(fill: (table: Uint8Array) => void): () => Uint8Array {
  let table: Uint8Array | undefined;
  return () => {
    if (table === undefined) {
      table = new Uint8Array(CODE_POINTS);
      fill(table);
    }
    return table;
  };
}

function readNumber(digits = "0"): number {
  return Number.parseInt(digits, RADIX);
}
