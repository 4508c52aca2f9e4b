// The patterns of Replace: a text, or a regular expression of the few kinds that JavaScript's engine runs as Oniguruma does.
import { corrupt, readRecord, readString } from "./settings.js";

/** What matches one character: itself, an escaped sign, white space, or a set of those and of ranges. */
const MEMBER = String.raw`\\[^A-Za-z0-9]|\\s|[^\\[\]^&-]`;
const ATOM = new RegExp(
  String.raw`\[(?:[A-Za-z0-9]-[A-Za-z0-9]|${MEMBER})+\]|\\[^A-Za-z0-9]|\\s|[^\\[\](){}.*+?|^$]`,
  "uy",
);
const COUNT = /\{\d+\}|\{\d+,\}|\{\d+,\d+\}|[*+?]/uy;
const UNBOUNDED = /^[*+]$|,\}$/;
const PIECE = /\\([^A-Za-z0-9])|\\s/gu;
/** White space of Unicode, which JavaScript's \s isn't. */
const WHITE_SPACE = String.raw`\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;

/** A finder of all matches, leftmost first, and how many characters a match has at most. */
export interface Pattern {
  readonly regex: RegExp;
  readonly longest: number;
}

/** Reads a pattern. Throws ERR_MODEL_CORRUPT. */
export function readPattern(settings: unknown, name: string): Pattern {
  const { String: text, Regex: source } = readRecord(settings, name);
  if (source !== undefined) return readRegex(readString(source, `${name}.Regex`), `${name}.Regex`);
  const literal = readString(text, `${name}.String`);
  if (literal === "") throw corrupt("a text that isn't empty", `${name}.String`, literal);
  return { regex: new RegExp(escaped(literal), "gu"), longest: literal.length };
}

/**
 * Characters and sets of them in a row, of which the last alone may be repeated without a limit: so the time is linear,
 * and what a greedy match is doesn't depend on the engine.
 */
function readRegex(source: string, name: string): Pattern {
  const refusal = () => corrupt("a regular expression of characters, sets and counts", name, source);
  let translated = "";
  let longest = 0;
  for (let at = 0; at < source.length; ) {
    const atom = matchAt(ATOM, source, at);
    if (atom === undefined || longest === Number.POSITIVE_INFINITY) throw refusal();
    at += atom.length;
    const count = matchAt(COUNT, source, at) ?? "";
    at += count.length;
    longest += UNBOUNDED.test(count) ? Number.POSITIVE_INFINITY : 2 * mostOf(count);
    translated += translate(atom) + count;
  }
  const regex = compile(translated);
  if (regex === undefined || regex.test("")) throw refusal();
  return { regex, longest };
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

/** How often an atom is repeated at most. */
function mostOf(count: string): number {
  const [most = "1"] = count.match(/\d+(?=\}$)/) ?? [];
  return Number(most);
}

/** With the u flag JavaScript takes a backslash before syntax alone. */
function translate(atom: string): string {
  const isSet = atom.startsWith("[");
  return atom.replace(PIECE, (_, sign: string | undefined) => {
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
