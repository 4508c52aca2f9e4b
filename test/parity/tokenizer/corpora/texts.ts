// Random texts: mixed scripts, white space, special tokens without white space around them, real messages.
import { cluster } from "./clusters.js";
import type { Random } from "./random.js";
import { characterOf, SCRIPTS, WHITE_SPACE } from "./unicode.js";

/** Special and added tokens of the tokenizers under test, and similar texts that aren't tokens. */
const SPECIALS = [
  ..."</s>|<pad>|<unk>|<extra_id_0>|<extra_id_1>|<extra_id_10>|<extra_id_99>|<extra_id_100>|<extra_id_124>".split("|"),
  ..."<extra_id_|<extra_id_5|extra_id_7>|< extra_id_0>|<EXTRA_ID_0>|<extra_id_00>|</s|<s>|</S>|<0x41>|<0xE9>".split(
    "|",
  ),
  ..."<left>|<right>|<both>|word|Word |norm|NORM|norm word|Norm Word|\u2460\u2461|<extra_id_1>0|\u{1f600}".split("|"),
];
const NEIGHBOURS = [
  "",
  "",
  " ",
  "  ",
  "\t",
  "\n",
  "\u00a0",
  "\u3000",
  "\u2581",
  "a",
  "ab",
  "7",
  "_",
  "-",
  ".",
  "\u00e9",
];
const SENTENCE_MARKS = [
  " .",
  " ?",
  " !",
  " ,",
  " ' ",
  " n't",
  " 'm",
  " 's",
  " 've",
  " 're",
  ".",
  ", ",
  "; ",
  ": ",
  " - ",
];
const MAX_WORD_LENGTH = 12;

type Letter = (random: Random) => string;

/** A word in one script. */
function word(random: Random): string {
  const script = random.pick(SCRIPTS);
  return random.join(random.integer(1, MAX_WORD_LENGTH), () => characterOf(random, script));
}

/** Words in several scripts, with spaces between some of them. */
export function mixedScripts(random: Random): string {
  return random.join(random.integer(1, 7), () => word(random) + (random.chance(0.6) ? " " : ""));
}

/** Special tokens with other text directly before and after them. */
export function gluedSpecials(random: Random): string {
  const neighbour: Letter = () => (random.chance(0.9) ? random.pick(NEIGHBOURS) : cluster(random));
  return random.join(random.integer(1, 5), () => neighbour(random) + random.pick(SPECIALS) + neighbour(random));
}

/** White space of all kinds between letters. */
export function whiteSpace(random: Random): string {
  return random.join(random.integer(1, 10), () =>
    random.chance(0.6) ? random.pick(WHITE_SPACE) : random.pick(["a", "word", "\u0301", "\u00e9", ".", "<pad>", ""]),
  );
}

/** Characters of all kinds, and text that cleaning up changes. */
export function anything(random: Random): string {
  return random.join(random.integer(0, 30), () => {
    const kind = random.next();
    if (kind < 0.4) return characterOf(random, random.pick(SCRIPTS));
    if (kind < 0.6) return String.fromCharCode(random.integer(0x20, 0x7e));
    if (kind < 0.75) return cluster(random);
    if (kind < 0.85) return random.pick(WHITE_SPACE);
    if (kind < 0.9) return random.pick(SENTENCE_MARKS);
    if (kind < 0.95) return random.pick(SPECIALS);
    if (kind < 0.97) return String.fromCharCode(random.integer(0xd800, 0xdfff));
    return String.fromCharCode(random.integer(0, 0xffff));
  });
}

/** A real message, two joined ones, or one with some words of another. */
export function realText(random: Random, messages: readonly string[]): string {
  const message = random.pick(messages);
  if (random.chance(0.2)) return `${message} ${random.pick(messages)}`;
  if (random.chance(0.7)) return message;
  const others = random.pick(messages).split(" ");
  return message
    .split(" ")
    .map((own) => (random.chance(0.3) ? random.pick(others) : own))
    .join(random.pick([" ", " ", "  ", "\u00a0", ""]));
}
