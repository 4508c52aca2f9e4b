// The normalizers of tokenizer.json, which rewrite a text before it is divided, with the offsets that Rust gives.
import { SLICED_UNITS, type Sliced } from "../util/slices.js";
import { Charsmap } from "./charsmap.js";
import { codePointsOf, NormalizedString, Transformation } from "./normalized-string.js";
import { type Pattern, readPattern } from "./pattern.js";
import { type PartReaders, readFlag, readPart, readParts, readString } from "./tokenizer-json.js";
import { clusterEnd } from "./unicode/clusters.js";
import { lowerCase, markTable, whiteSpaceTable } from "./unicode/code-points.js";
import { compose, decompose, independentEnd } from "./unicode/normalization.js";
import { utf8Size } from "./utf8.js";

/** Appends the normalized form of `source[from, to)` to `target`. */
export type Normalizer = (source: NormalizedString, from: number, to: number, target: NormalizedString) => Sliced<void>;

const ASCII_END = 0x80;
const CR = 13;
const SPACE = 32;
/** Matches, and characters that replace them, between two interruptions: they take longer than other characters. */
const SLICED_MATCHES = SLICED_UNITS / 4;
/** Grapheme clusters of this many bytes of UTF-8 or more are normalized character by character. */
const LONG_CLUSTER_BYTES = 6;
const NMT_REMOVED = new Set([...inclusive(0x1, 0x8), 0xb, ...inclusive(0xe, 0x1f), 0x7f, 0x8f, 0x9f]);
const NMT_SPACES = new Set([
  ...[0x9, 0xa, 0xc, 0xd, 0x1680, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd],
  ...inclusive(0x200b, 0x200f),
]);

const readers: PartReaders<readonly Normalizer[]> = {
  Sequence: (settings, name) => readParts(settings.normalizers, `${name}.normalizers`, readers).flat(),
  Precompiled: (settings, name) => [
    precompiled(new Charsmap(settings.precompiled_charsmap, `${name}.precompiled_charsmap`)),
  ],
  Replace: (settings, name) => [
    replace(readPattern(settings.pattern, `${name}.pattern`), readString(settings.content, `${name}.content`)),
  ],
  Strip: (settings, name) => [
    strip(readFlag(settings.strip_left, `${name}.strip_left`), readFlag(settings.strip_right, `${name}.strip_right`)),
  ],
  Prepend: (settings, name) => [prepend(codePointsOf(readString(settings.prepend, `${name}.prepend`)))],
  Lowercase: () => [lowercase],
  NFC: () => [normalForm(true, false)],
  NFD: () => [normalForm(false, false)],
  NFKC: () => [normalForm(true, true)],
  NFKD: () => [normalForm(false, true)],
  Nmt: () => [nmt],
  StripAccents: () => [stripAccents],
};

/** The normalizer of tokenizer.json, or undefined if it has none. Throws ERR_MODEL_CORRUPT. */
export function readNormalizer(settings: unknown, name: string): Normalizer | undefined {
  if (settings === null || settings === undefined) return undefined;
  const normalizers = readPart(settings, name, readers);
  return normalizers.length === 0 ? undefined : sequence(normalizers);
}

function sequence([first, ...others]: readonly Normalizer[]): Normalizer {
  if (first === undefined) return (source, from, to, target) => target.appendLong(source, from, to);
  if (others.length === 0) return first;
  const rest = sequence(others);
  /** The buffer for the next text: undefined while the work on another one is interrupted. */
  let idle: NormalizedString | undefined;
  return function* normalize(source, from, to, target) {
    const between = idle ?? new NormalizedString();
    idle = undefined;
    between.reserve(to - from);
    yield* first(source, from, to, between);
    yield* rest(between, 0, between.length, target);
    between.clear();
    idle = between;
  };
}

/** Precompiled, as Rust's spm_precompiled: a short grapheme cluster is looked up whole, a long one by character. */
function precompiled(charsmap: Charsmap): Normalizer {
  return function* normalize(source, from, to, target) {
    const transformation = new Transformation(source, from, to, target);
    for (let index = from; index < to; ) {
      if (index > from) yield;
      index = mapClusters(charsmap, source.codes, index, Math.min(to, index + SLICED_UNITS), to, transformation);
    }
  };
}

/** Maps the clusters that begin in `codes[from, end)` of a text that ends at `to`. Returns where the next one begins. */
function mapClusters(
  charsmap: Charsmap,
  codes: Int32Array,
  from: number,
  end: number,
  to: number,
  transformation: Transformation,
): number {
  const mapCharacter = (code: number) => {
    const replacement = charsmap.character(code);
    if (replacement === undefined) transformation.replace(code);
    else writeReplacement(transformation, replacement, 1);
  };
  let index = from;
  while (index < end) {
    const code = codes[index] ?? 0;
    const next = index + 1 < to ? (codes[index + 1] ?? 0) : 0;
    // Two ASCII characters are two clusters, except CR LF.
    const stop = code < ASCII_END && next < ASCII_END && code !== CR ? index + 1 : clusterEnd(codes, index, to);
    if (stop === index + 1) {
      mapCharacter(code);
    } else {
      const replacement = isShortCluster(codes, index, stop) ? charsmap.cluster(codes, index, stop) : undefined;
      if (replacement !== undefined) writeReplacement(transformation, replacement, stop - index);
      else for (let part = index; part < stop; part++) mapCharacter(codes[part] ?? 0);
    }
    index = stop;
  }
  return index;
}

/** Writes the replacement of the next `count` source characters. */
function writeReplacement(transformation: Transformation, replacement: Int32Array, count: number): void {
  const { length } = replacement;
  if (length === 0) {
    transformation.remove(count);
    return;
  }
  const replaced = Math.min(length, count);
  for (let index = 0; index < length; index++) {
    const code = replacement[index] ?? 0;
    if (index >= replaced) transformation.insert(code);
    else transformation.replace(code, index === length - 1 ? count - length : 0);
  }
}

function isShortCluster(codes: Int32Array, from: number, to: number): boolean {
  let bytes = 0;
  for (let index = from; index < to && bytes < LONG_CLUSTER_BYTES; index++) bytes += utf8Size(codes[index] ?? 0);
  return bytes < LONG_CLUSTER_BYTES;
}

/** Replace: every match becomes `content`, all of it with the offsets of the match's last character, as in Rust. */
function replace({ regex }: Pattern, content: string): Normalizer {
  const replacement = codePointsOf(content);
  return function* normalize(source, from, to, target) {
    const text = yield* source.text(from, to);
    let unit = 0;
    let index = from;
    let work = 0;
    for (const match of text.matchAll(regex)) {
      const start = index + countCharacters(text, unit, match.index);
      yield* target.appendLong(source, index, start);
      unit = match.index + match[0].length;
      index = start + countCharacters(match[0], 0, match[0].length);
      for (const code of replacement) target.push(code, source.starts[index - 1] ?? 0, source.ends[index - 1] ?? 0);
      work += 1 + replacement.length;
      if (work < SLICED_MATCHES) continue;
      work = 0;
      yield;
    }
    yield* target.appendLong(source, index, to);
  };
}

/** The number of code points in the UTF-16 units `[from, to)` of a well-formed string. */
function countCharacters(text: string, from: number, to: number): number {
  let count = to - from;
  for (let index = from; index < to; index++) if ((text.charCodeAt(index) & 0xfc00) === 0xdc00) count--;
  return count;
}

/** Strip: removes white space at the beginning and the end. */
function strip(left: boolean, right: boolean): Normalizer {
  return (source, from, to, target) => {
    const isWhite = whiteSpaceTable();
    const { codes } = source;
    let start = from;
    let end = to;
    while (left && start < end && isWhite[codes[start] ?? 0] === 1) start++;
    while (right && end > start && isWhite[codes[end - 1] ?? 0] === 1) end--;
    return target.appendLong(source, start, end);
  };
}

/** Prepend: puts a prefix before a text that isn't empty, with the offsets of the text's first character. */
function prepend(prefix: Int32Array): Normalizer {
  return (source, from, to, target) => {
    if (from < to) {
      for (const code of prefix) target.push(code, source.starts[from] ?? 0, source.ends[from] ?? 0);
    }
    return target.appendLong(source, from, to);
  };
}

/** NFC, NFD, NFKC or NFKD. */
function normalForm(isComposed: boolean, isCompatible: boolean): Normalizer {
  const form = isComposed ? compose : decompose;
  return function* normalize(source, from, to, target) {
    const { codes } = source;
    if (isAscii(codes, from, to)) {
      yield* target.appendLong(source, from, to);
      return;
    }
    const transformation = new Transformation(source, from, to, target);
    const emit = (code: number, change: number) => {
      if (change > 0) transformation.insert(code);
      else transformation.replace(code, -change);
    };
    for (let index = from; index < to; ) {
      if (index > from) yield;
      const end = independentEnd(codes, Math.min(to, index + SLICED_UNITS), to, isCompatible);
      form(codes, index, end, isCompatible, emit);
      index = end;
    }
  };
}

function isAscii(codes: Int32Array, from: number, to: number): boolean {
  for (let index = from; index < to; index++) if ((codes[index] ?? 0) >= ASCII_END) return false;
  return true;
}

function* lowercase(source: NormalizedString, from: number, to: number, target: NormalizedString): Sliced<void> {
  const transformation = new Transformation(source, from, to, target);
  for (let index = from; index < to; index++) {
    if ((index - from + 1) % SLICED_UNITS === 0) yield;
    const code = source.codes[index] ?? 0;
    const [first = code, ...others] = lowerCase(code) ?? [];
    transformation.replace(first);
    for (const other of others) transformation.insert(other);
  }
}

/** StripAccents: removes combining marks. */
function stripAccents(source: NormalizedString, from: number, to: number, target: NormalizedString): Sliced<void> {
  const isMark = markTable();
  return mapCharacters(source, from, to, target, (code) => (isMark[code] === 1 ? undefined : code));
}

/** Nmt: removes control characters, and turns line ends, joiners and the like into spaces. */
function nmt(source: NormalizedString, from: number, to: number, target: NormalizedString): Sliced<void> {
  return mapCharacters(source, from, to, target, (code) => {
    if (NMT_REMOVED.has(code)) return undefined;
    return NMT_SPACES.has(code) ? SPACE : code;
  });
}

/** Writes what `map` returns for each character, or nothing if that is undefined. */
function* mapCharacters(
  { codes, starts, ends }: NormalizedString,
  from: number,
  to: number,
  target: NormalizedString,
  map: (code: number) => number | undefined,
): Sliced<void> {
  for (let index = from; index < to; index++) {
    if ((index - from + 1) % SLICED_UNITS === 0) yield;
    const code = map(codes[index] ?? 0);
    if (code !== undefined) target.push(code, starts[index] ?? 0, ends[index] ?? 0);
  }
}

function inclusive(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
