// What a normalizer is, and the ones that need no more than a table.
import type { AlignedText } from "./aligned-text.js";
import { Edit } from "./edit.js";
import { lowerCase, markTable, whiteSpaceTable } from "./unicode/characters.js";

/** Appends the normalized form of `source[from, to)` to `target`. */
export type Normalizer = (source: AlignedText, from: number, to: number, target: AlignedText) => void;

const SPACE = 32;
const NMT_REMOVED = new Set([...span(0x1, 0x8), 0xb, ...span(0xe, 0x1f), 0x7f, 0x8f, 0x9f]);
const NMT_SPACES = new Set([
  ...[0x9, 0xa, 0xc, 0xd, 0x1680, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd],
  ...span(0x200b, 0x200f),
]);

/** One after the other. */
export function sequence(normalizers: readonly Normalizer[], makeText: () => AlignedText): Normalizer {
  const [first, ...others] = normalizers;
  if (first === undefined) return (source, from, to, target) => target.append(source, from, to);
  if (others.length === 0) return first;
  const rest = sequence(others, makeText);
  const between = makeText();
  return (source, from, to, target) => {
    first(source, from, to, between);
    rest(between, 0, between.length, target);
    between.clear();
  };
}

/** White space at the beginning and the end. */
export function strip(left: boolean, right: boolean): Normalizer {
  return (source, from, to, target) => {
    const isWhite = whiteSpaceTable();
    const { codes } = source;
    let start = from;
    let end = to;
    while (left && start < end && isWhite[codes[start] ?? 0] === 1) start++;
    while (right && end > start && isWhite[codes[end - 1] ?? 0] === 1) end--;
    target.append(source, start, end);
  };
}

/** A text in front of whatever isn't empty. All of it stands for the first character. */
export function prepend(prefix: Int32Array): Normalizer {
  return (source, from, to, target) => {
    if (from === to) return;
    for (const code of prefix) target.push(code, source.starts[from] ?? 0, source.ends[from] ?? 0);
    target.append(source, from, to);
  };
}

export const lowercase: Normalizer = (source, from, to, target) => {
  const edit = new Edit(source, from, to, target);
  for (let index = from; index < to; index++) {
    const code = source.codes[index] ?? 0;
    const [first = code, ...others] = lowerCase(code) ?? [];
    edit.replace(first);
    for (const other of others) edit.insert(other);
  }
};

/** Combining marks, wherever they are. */
export const stripAccents: Normalizer = (source, from, to, target) => {
  const isMark = markTable();
  filter(source, from, to, target, (code) => (isMark[code] === 1 ? undefined : code));
};

/** Control characters are taken away, and what isn't quite a space becomes one. */
export const nmt: Normalizer = (source, from, to, target) => {
  filter(source, from, to, target, (code) => {
    if (NMT_REMOVED.has(code)) return undefined;
    return NMT_SPACES.has(code) ? SPACE : code;
  });
};

function filter(
  { codes, starts, ends }: AlignedText,
  from: number,
  to: number,
  target: AlignedText,
  map: (code: number) => number | undefined,
): void {
  for (let index = from; index < to; index++) {
    const code = map(codes[index] ?? 0);
    if (code !== undefined) target.push(code, starts[index] ?? 0, ends[index] ?? 0);
  }
}

function span(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
