// Unicode's normalization forms, of the version that Rust's tokenizers has, with the changes that determine offsets.
import { CODE_POINTS, fillRuns, RADIX, readMapping } from "./code-points.js";
import { CANONICAL, CLASSES, COMPATIBLE, COMPOSITES } from "./normalization-data.js";

/** First code points and counts of syllables (s) and of leading (l), vowel (v) and trailing (t) jamo. */
const HANGUL = { s: 0xac00, l: 0x1100, v: 0x1161, t: 0x11a7, lCount: 19, vCount: 21, tCount: 28, sCount: 11172 };
/** Syllables for each leading jamo. */
const HANGUL_N = HANGUL.vCount * HANGUL.tCount;
const ASCII_END = 0x80;

type Decompositions = ReadonlyMap<number, readonly number[]>;

interface Tables {
  readonly canonical: Decompositions;
  readonly compatible: Decompositions;
  /** Canonical combining classes. */
  readonly classes: Uint8Array;
  /** Composites, by their first and second character. */
  readonly pairs: ReadonlyMap<number, ReadonlyMap<number, number>>;
  /** The second characters of the composites. */
  readonly seconds: ReadonlySet<number>;
}

let tables: Tables | undefined;

/**
 * Receives each character of a normal form. `change` is 1 for an inserted character, 0 for one that replaces a source
 * character, and -n for one that replaces n further ones too.
 */
type Emit = (code: number, change: number) => void;

/** The canonical decomposition (NFD) of `codes[from, to)`, or the compatible one (NFKD). */
export function decompose(codes: Int32Array, from: number, to: number, isCompatible: boolean, emit: Emit): void {
  tables ??= readTables();
  const { classes } = tables;
  const decompositions = isCompatible ? tables.compatible : tables.canonical;
  /** Characters that may still be reordered by their combining class. */
  let pending: (readonly [combiningClass: number, code: number, change: number])[] = [];
  const flush = () => {
    // The sort is stable.
    if (pending.length > 1) pending.sort(([a], [b]) => a - b);
    for (const [, code, change] of pending) emit(code, change);
    pending = [];
  };
  const push = (code: number, change: number) => {
    const combiningClass = classes[code] ?? 0;
    if (combiningClass === 0) flush();
    pending.push([combiningClass, code, change]);
  };
  for (let index = from; index < to; index++) {
    const code = codes[index] ?? 0;
    const parts = code < ASCII_END ? undefined : (hangulParts(code) ?? decompositions.get(code));
    if (parts === undefined) push(code, 0);
    else for (const [part, each] of parts.entries()) push(each, part === 0 ? 0 : 1);
  }
  flush();
}

/** The composition (NFC or NFKC) of `codes[from, to)`. */
export function compose(codes: Int32Array, from: number, to: number, isCompatible: boolean, emit: Emit): void {
  let starter: { code: number; change: number } | undefined;
  let lastClass: number | undefined;
  /** Characters after the starter that don't compose with it. */
  let buffer: (readonly [code: number, change: number])[] = [];
  const flush = () => {
    if (starter !== undefined) emit(starter.code, starter.change);
    for (const [code, change] of buffer) emit(code, change);
    buffer = [];
    starter = undefined;
    lastClass = undefined;
  };
  decompose(codes, from, to, isCompatible, (code, change) => {
    const combiningClass = tables?.classes[code] ?? 0;
    if (starter === undefined) {
      if (combiningClass === 0) starter = { code, change };
      else emit(code, change);
      return;
    }
    const isBlocked = lastClass !== undefined && lastClass >= combiningClass;
    const composite = isBlocked ? undefined : composePair(starter.code, code);
    if (composite !== undefined) {
      starter = { code: composite, change: starter.change + change - 1 };
    } else if (combiningClass === 0) {
      flush();
      starter = { code, change };
    } else {
      buffer.push([code, change]);
      lastClass = combiningClass;
    }
  });
  flush();
}

/**
 * The first position from `index` on, or `to`, where any normal form of a text can be divided: the characters on either
 * side of it are neither reordered nor composed with each other.
 */
export function independentEnd(codes: Int32Array, index: number, to: number, isCompatible: boolean): number {
  tables ??= readTables();
  const { classes, seconds } = tables;
  const decompositions = isCompatible ? tables.compatible : tables.canonical;
  for (let end = index; end < to; end++) {
    const code = codes[end] ?? 0;
    if (code < ASCII_END) return end;
    const [first = code] = hangulParts(code) ?? decompositions.get(code) ?? [];
    if (classes[first] === 0 && !seconds.has(first) && !isJamoAfterFirst(first)) return end;
  }
  return to;
}

/** Whether a character is a vowel or trailing jamo, which composes with the one before it. */
function isJamoAfterFirst(code: number): boolean {
  return (code >= HANGUL.v && code < HANGUL.v + HANGUL.vCount) || (code >= HANGUL.t && code < HANGUL.t + HANGUL.tCount);
}

function readTables(): Tables {
  const canonical = readMapping(CANONICAL);
  const classes = new Uint8Array(CODE_POINTS);
  for (const entry of CLASSES.split(",")) {
    const [value = "", runs = ""] = entry.split(":");
    fillRuns(classes, runs, Number.parseInt(value, RADIX));
  }
  const compatible = new Map([...canonical, ...readMapping(COMPATIBLE)]);
  const pairs = readPairs(canonical);
  const seconds = new Set([...pairs.values()].flatMap((composites) => [...composites.keys()]));
  return { canonical, compatible, classes, pairs, seconds };
}

/** A composite's second character is the last of its full decomposition; the first is what the others compose to. */
function readPairs(canonical: Decompositions): Tables["pairs"] {
  const isComposite = new Uint8Array(CODE_POINTS);
  fillRuns(isComposite, COMPOSITES, 1);
  const composites = [...canonical].filter(([code]) => isComposite[code] === 1);
  const composed = new Map(composites.map(([code, parts]) => [parts.join(), code]));
  const pairs = new Map<number, Map<number, number>>();
  for (const [code, parts] of composites) {
    const others = parts.slice(0, -1);
    const first = others.length === 1 ? others[0] : composed.get(others.join());
    const last = parts.at(-1);
    if (first === undefined || last === undefined) continue;
    const seconds = pairs.get(first) ?? new Map<number, number>();
    pairs.set(first, seconds.set(last, code));
  }
  return pairs;
}

function hangulParts(code: number): readonly number[] | undefined {
  const index = code - HANGUL.s;
  if (index < 0 || index >= HANGUL.sCount) return undefined;
  const l = HANGUL.l + Math.floor(index / HANGUL_N);
  const v = HANGUL.v + Math.floor((index % HANGUL_N) / HANGUL.tCount);
  const t = index % HANGUL.tCount;
  return t === 0 ? [l, v] : [l, v, HANGUL.t + t];
}

function composePair(first: number, second: number): number | undefined {
  const l = first - HANGUL.l;
  const v = second - HANGUL.v;
  if (l >= 0 && l < HANGUL.lCount && v >= 0 && v < HANGUL.vCount) return HANGUL.s + l * HANGUL_N + v * HANGUL.tCount;
  const s = first - HANGUL.s;
  const t = second - HANGUL.t;
  if (s >= 0 && s < HANGUL.sCount && s % HANGUL.tCount === 0 && t > 0 && t < HANGUL.tCount) return first + t;
  return tables?.pairs.get(first)?.get(second);
}
