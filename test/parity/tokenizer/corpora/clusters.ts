// Grapheme clusters of every kind. The Precompiled normalizer depends on how a text is divided into them.
import type { Random } from "./random.js";
import { COMBINING_MARKS, characterOf, type Range, SCRIPTS } from "./unicode.js";

const MAX_CLUSTER_BYTES = 40;

const ZWJ = "\u200d";
const VARIATION_SELECTORS = ["\ufe0e", "\ufe0f", "\u{e0100}", "\u180b"];
const SKIN_TONES = ["\u{1f3fb}", "\u{1f3fc}", "\u{1f3fd}", "\u{1f3fe}", "\u{1f3ff}"];
const ENCLOSING_KEYCAP = "\u20e3";
const KEYCAP_BASES = "0123456789#*";
const END_OF_TAGS = "\u{e007f}";
const PREPENDED = [
  "\u0600",
  "\u06dd",
  "\u070f",
  "\u08e2",
  "\u0d4e",
  "\u{110bd}",
  "\u{110cd}",
  "\u{111c2}",
  "\u{1193f}",
];
const SPACING_MARKS = ["\u0903", "\u093e", "\u0bbe", "\u0e33", "\u0eb3", "\u102b", "\u1b35", "\u{16f51}", "\u{1d165}"];
const VIRAMAS = ["\u094d", "\u09cd", "\u0acd", "\u0b4d", "\u0c4d", "\u0d4d", "\u1039", "\u17d2", "\u{1134d}"];
const CONSONANTS: readonly Range[] = [
  [0x915, 0x939],
  [0x995, 0x9b9],
  [0xa95, 0xab9],
  [0xb15, 0xb39],
  [0xc15, 0xc39],
  [0xd15, 0xd39],
  [0x1000, 0x1021],
  [0x1780, 0x17a2],
];
const PICTOGRAPHS: readonly Range[] = [
  [0x1f300, 0x1f5ff],
  [0x1f600, 0x1f64f],
  [0x1f680, 0x1f6ff],
  [0x1f900, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x2600, 0x27bf],
  [0x2194, 0x21aa],
];
const SINGLE_PICTOGRAPHS = ["\u00a9", "\u00ae", "\u203c", "\u2049", "\u2122", "\u2139", "\u3030", "\u303d", "\u3297"];
const LEADING: Range = [0x1100, 0x115f];
const VOWELS: Range = [0x1160, 0x11a7];
const TRAILING: Range = [0x11a8, 0x11ff];
const SYLLABLES: Range = [0xac00, 0xd7a3];
const OTHER_LEADING: Range = [0xa960, 0xa97c];
const OTHER_VOWELS: Range = [0xd7b0, 0xd7c6];
const OTHER_TRAILING: Range = [0xd7cb, 0xd7fb];
const REGIONAL_INDICATORS: Range = [0x1f1e6, 0x1f1ff];
const TAGS: Range = [0xe0020, 0xe007e];
const LATIN_MARKS: Range = [0x300, 0x36f];
const CONTROLS: Range = [0, 0x1f];

type Make = (random: Random) => string;

/** A base and marks, of this many bytes of UTF-8 or a few more. */
function stack(random: Random, bytes: number): string {
  let text = characterOf(random, random.pick(SCRIPTS));
  while (Buffer.byteLength(text) < bytes) text += mark(random);
  return text;
}

function mark(random: Random): string {
  return random.chance(0.7) ? characterOf(random, LATIN_MARKS) : String.fromCodePoint(random.pick(COMBINING_MARKS));
}

function pictograph(random: Random): string {
  const base = random.chance(0.9) ? characterOf(random, random.pick(PICTOGRAPHS)) : random.pick(SINGLE_PICTOGRAPHS);
  const tone = random.chance(0.2) ? random.pick(SKIN_TONES) : "";
  return base + tone + (random.chance(0.3) ? random.pick(VARIATION_SELECTORS) : "");
}

function conjunct(random: Random): string {
  const consonants = random.pick(CONSONANTS);
  const virama = random.pick(VIRAMAS);
  const linked = random.join(random.integer(0, 4), () => {
    const joiner = random.chance(0.3) ? random.pick([ZWJ, "\u200c"]) : "";
    const nukta = random.chance(0.2) ? "\u093c" : "";
    return characterOf(random, consonants) + nukta + virama + joiner;
  });
  return linked + characterOf(random, consonants) + (random.chance(0.5) ? random.pick(SPACING_MARKS) : "");
}

function hangul(random: Random): string {
  const parts = [LEADING, VOWELS, TRAILING, SYLLABLES, OTHER_LEADING, OTHER_VOWELS, OTHER_TRAILING];
  if (random.chance(0.4)) return random.join(random.integer(1, 6), () => characterOf(random, random.pick(parts)));
  const syllable = characterOf(random, LEADING) + characterOf(random, VOWELS);
  return random.chance(0.5) ? syllable + characterOf(random, TRAILING) : syllable;
}

const KINDS: readonly Make[] = [
  (random) => stack(random, random.integer(1, MAX_CLUSTER_BYTES)),
  (random) => stack(random, random.integer(4, 8)),
  pictograph,
  (random) => Array.from({ length: random.integer(2, 5) }, () => pictograph(random)).join(ZWJ),
  (random) => random.join(random.integer(1, 7), () => characterOf(random, REGIONAL_INDICATORS)),
  (random) => random.pick(KEYCAP_BASES) + (random.chance(0.7) ? "\ufe0f" : "") + ENCLOSING_KEYCAP,
  (random) => `\u{1f3f4}${random.join(random.integer(1, 9), () => characterOf(random, TAGS))}${END_OF_TAGS}`,
  conjunct,
  hangul,
  (random) => random.join(random.integer(1, 3), () => random.pick(PREPENDED)) + stack(random, random.integer(1, 12)),
  (random) => stack(random, random.integer(1, 6)) + random.join(random.integer(1, 3), () => random.pick(SPACING_MARKS)),
  (random) => characterOf(random, random.pick(SCRIPTS)) + ZWJ + characterOf(random, random.pick(SCRIPTS)),
  (random) => random.pick(["\r\n", "\r", "\n", "\n\r", characterOf(random, CONTROLS)]) + mark(random),
  (random) =>
    random.pick(["e", "o", "a", "A", " ", "\u2581", "<"]) + random.join(random.integer(1, 4), () => mark(random)),
];

/** A cluster, or similar text that isn't one: joined, marked or prefixed characters. */
export function cluster(random: Random): string {
  return random.pick(KINDS)(random);
}

/** Clusters next to one another, letters and spaces. */
export function clusters(random: Random): string {
  return random.join(random.integer(1, 8), () =>
    random.chance(0.75) ? cluster(random) : random.pick(["a", "e", "x ", " ", "7", ".", "\u00e9", "\u2581"]),
  );
}
