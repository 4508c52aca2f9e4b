// The patterns of Replace: a text, or a regular expression for which JavaScript finds the same matches as Oniguruma.
import { corruptSetting, readObject, readString, unsupportedSetting } from "./tokenizer-json.js";

/** Matches one member of a set: an escaped sign, white space, or a character that needs no escape. */
const MEMBER = String.raw`\\[^A-Za-z0-9]|\\s|[^\\[\]^&-]`;
/** Matches an atom, which stands for one character: a set, an escaped sign, white space, or a character itself. */
const ATOM = new RegExp(
  String.raw`\[(?:[A-Za-z0-9]-[A-Za-z0-9]|${MEMBER})+\]|\\[^A-Za-z0-9]|\\s|[^\\[\](){}.*+?|^$]`,
  "uy",
);
const QUANTIFIER = /\{\d+\}|\{\d+,\}|\{\d+,\d+\}|[*+?]/uy;
const UNBOUNDED = /^[*+]$|,\}$/;
const ESCAPE = /\\([^A-Za-z0-9])|\\s/gu;
/** Unicode's white space; JavaScript's `\s` is another set. */
const WHITE_SPACE = String.raw`\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
/** A character outside the Basic Multilingual Plane has two UTF-16 units. */
const MAX_UNITS = 2;

export interface Pattern {
  /** Finds all matches, from left to right. */
  readonly regex: RegExp;
  /** The maximum length of a match in UTF-16 units, or infinity. */
  readonly maxLength: number;
}

/** Reads a pattern. Throws ERR_MODEL_CORRUPT. */
export function readPattern(settings: unknown, name: string): Pattern {
  const { String: text, Regex: source } = readObject(settings, name);
  if (source !== undefined) return readRegex(readString(source, `${name}.Regex`), `${name}.Regex`);
  const literal = readString(text, `${name}.String`);
  if (literal === "") throw corruptSetting("a text that isn't empty", `${name}.String`, literal);
  return { regex: new RegExp(escaped(literal), "gu"), maxLength: literal.length };
}

/**
 * Reads a sequence of atoms, of which only the last may be repeated without a limit: the search then takes linear time,
 * and every engine finds the same greedy match.
 */
function readRegex(source: string, name: string): Pattern {
  const refusal = () => unsupportedSetting("a regular expression of characters, sets and counts", name, source);
  let translated = "";
  let maxLength = 0;
  for (let at = 0; at < source.length; ) {
    const atom = matchAt(ATOM, source, at);
    if (atom === undefined || maxLength === Number.POSITIVE_INFINITY) throw refusal();
    at += atom.length;
    const quantifier = matchAt(QUANTIFIER, source, at) ?? "";
    at += quantifier.length;
    maxLength += UNBOUNDED.test(quantifier) ? Number.POSITIVE_INFINITY : MAX_UNITS * maxCount(quantifier);
    translated += translate(atom) + quantifier;
  }
  const regex = compile(translated);
  if (regex === undefined || regex.test("")) throw refusal();
  return { regex, maxLength };
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

/** The maximum number of repetitions that a bounded quantifier allows. */
function maxCount(quantifier: string): number {
  const [count = "1"] = quantifier.match(/\d+(?=\}$)/) ?? [];
  return Number(count);
}

/** An atom for JavaScript, whose `u` flag allows a backslash only before syntax characters. */
function translate(atom: string): string {
  const isSet = atom.startsWith("[");
  return atom.replace(ESCAPE, (_, sign: string | undefined) => {
    if (sign !== undefined) return escaped(sign);
    return isSet ? WHITE_SPACE : `[${WHITE_SPACE}]`;
  });
}

function compile(source: string): RegExp | undefined {
  try {
    return new RegExp(source, "gu");
  } catch {
    return undefined;
  }
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (sign) => (sign === "-" ? String.raw`\x2d` : `\\${sign}`));
}
