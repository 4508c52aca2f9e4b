// Texts of any length that are made to break a tokenizer.
import { Random } from "./random.js";
import { characterOf, SCRIPTS } from "./unicode.js";

const SEED = 6;

/** Texts with their names. The long ones grow with `size`; with 2 ** 20 they have 1 MB of UTF-8 or more. */
export function hostileTexts(size: number): readonly (readonly [what: string, text: string])[] {
  const long = (unit: string) => unit.repeat(Math.floor(size / unit.length));
  const many = (unit: string) => unit.repeat(Math.floor(size / 10 / unit.length));
  return [
    ["nothing", ""],
    ["a space", " "],
    ["a NUL", "\0"],
    ["NUL within words and between them", "a\0b \0 c\0"],
    ["the halves of surrogate pairs", "\ud800 a\udfffb \udc00\ud800 \ud83d\u0301 \ude00"],
    ["half of a pair next to a special token", "\ud800</s>\udc00<extra_id_0>\ud800"],
    ["a long run of one letter", long("a")],
    ["one long word", long("internationalization")],
    ["words", long("the number, and ")],
    ["spaces", long(" ")],
    ["spaces of every kind", long("\u2003\u00a0\u3000\t\u0085")],
    ["word marks", many("\u2581")],
    ["many NUL", many("\0")],
    ["many halves of surrogate pairs", many("\ud83d")],
    ["letters of all scripts", letters(size / 3)],
    ["unknown characters", many("\u{13000}")],
    ["characters with a replacement of eighteen", many("\ufdfa")],
    ["combining marks on one letter", `a${many("\u0301")}b`],
    ["combining marks of descending classes", `a${many("\u0345\u0301\u0316\u05b0\u0334")}b`],
    ["combining marks without a base", many("\u0301")],
    ["a long sequence of joined emoji", many("\u{1f468}\u200d")],
    ["a long sequence of flags", `${many("\u{1f1e9}")}\u{1f1e9}`],
    ["a long sequence of leading jamo", many("\u1100")],
    ["a long sequence of linked consonants", many("\u0915\u094d")],
    ["a long sequence of prefixes", many("\u0600")],
    ["beginnings of special tokens", long("<extra_id_")],
    ["special tokens", long("<extra_id_0></s><pad> ")],
    ["line ends", many("\r\n")],
  ];
}

function letters(count: number): string {
  const random = new Random(SEED);
  return random.join(count, () => characterOf(random, random.pick(SCRIPTS)));
}
