// Texts made to break a tokenizer, of any length.
import { Random } from "./random.js";
import { characterOf, SCRIPTS } from "./unicode.js";

const SEED = 6;

/** Texts by what they are; the long ones grow with `size`, and are 1 MB of UTF-8 or more at 2 ** 20. */
export function hostileTexts(size: number): readonly (readonly [what: string, text: string])[] {
  const long = (unit: string) => unit.repeat(Math.floor(size / unit.length));
  const many = (unit: string) => unit.repeat(Math.floor(size / 10 / unit.length));
  return [
    ["nothing", ""],
    ["a space", " "],
    ["a NUL", "\0"],
    ["NUL within words and between them", "a\0b \0 c\0"],
    ["the halves of surrogate pairs", "\ud800 a\udfffb \udc00\ud800 \ud83d\u0301 \ude00"],
    ["half a pair beside a special token", "\ud800</s>\udc00<extra_id_0>\ud800"],
    ["one letter without an end", long("a")],
    ["one word without an end", long("internationalization")],
    ["words", long("the number, and ")],
    ["spaces", long(" ")],
    ["spaces of every kind", long("\u2003\u00a0\u3000\t\u0085")],
    ["word marks", many("\u2581")],
    ["many NUL", many("\0")],
    ["many halves of surrogate pairs", many("\ud83d")],
    ["letters of all scripts", letters(size / 3)],
    ["characters that no piece has", many("\u{13000}")],
    ["characters that become eighteen each", many("\ufdfa")],
    ["combining marks on one letter", `a${many("\u0301")}b`],
    ["combining marks of descending classes", `a${many("\u0345\u0301\u0316\u05b0\u0334")}b`],
    ["combining marks in front of everything", many("\u0301")],
    ["joined emoji without an end", many("\u{1f468}\u200d")],
    ["flags without an end", `${many("\u{1f1e9}")}\u{1f1e9}`],
    ["leading jamo without an end", many("\u1100")],
    ["consonants linked without an end", many("\u0915\u094d")],
    ["prefixes without an end", many("\u0600")],
    ["beginnings of special tokens", long("<extra_id_")],
    ["special tokens", long("<extra_id_0></s><pad> ")],
    ["line ends", many("\r\n")],
  ];
}

function letters(count: number): string {
  const random = new Random(SEED);
  return random.join(count, () => characterOf(random, random.pick(SCRIPTS)));
}
