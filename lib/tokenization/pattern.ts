// The patterns of Replace: a text, or a regular expression of the few kinds that JavaScript's engine runs as Oniguruma does.
import { corrupt, readRecord, readString } from "./settings.js";

/** A character, escaped or not; a set of characters; each with how often it is repeated. */
const ATOM = /\\[^A-Za-z0-9]|\[(?:\\[^A-Za-z0-9]|[^\]\\^[&-])+\]|[^\\[\](){}.*+?|^$#]/u;
const COUNT = /\{\d+\}|\{\d+,\}|\{\d+,\d+\}|[*+?]/u;
const SIMPLE = new RegExp(`^(?:(?:${ATOM.source})(?:${COUNT.source})?)+$`, "u");
const UNBOUNDED = /(?<!\\)(?:[*+]|\{\d+,\})/gu;

/** A finder of all matches, leftmost first. Throws ERR_MODEL_CORRUPT. */
export function readPattern(settings: unknown, name: string): RegExp {
  const { String: text, Regex: regex } = readRecord(settings, name);
  if (regex === undefined) {
    const literal = readString(text, `${name}.String`);
    if (literal === "") throw corrupt("a text that isn't empty", `${name}.String`, literal);
    return new RegExp(escaped(literal), "gu");
  }
  return readRegex(readString(regex, `${name}.Regex`), `${name}.Regex`);
}

/**
 * Characters and sets of them in a row, of which the last alone may be repeated without a limit: so that the time is
 * linear, and greedy matching the same everywhere.
 */
function readRegex(source: string, name: string): RegExp {
  const refusal = () => corrupt("a regular expression of characters, sets and counts", name, source);
  if (!SIMPLE.test(source)) throw refusal();
  const [unbounded, ...others] = source.matchAll(UNBOUNDED);
  if (others.length > 0) throw refusal();
  if (unbounded !== undefined && unbounded.index + unbounded[0].length !== source.length) throw refusal();
  const pattern = compile(source);
  if (pattern === undefined || pattern.test("")) throw refusal();
  return pattern;
}

function compile(source: string): RegExp | undefined {
  try {
    return new RegExp(withoutIdleEscapes(source), "gu");
  } catch {
    return undefined;
  }
}

/** With the u flag JavaScript takes a backslash before syntax alone. */
function withoutIdleEscapes(source: string): string {
  return source.replace(/\\([^A-Za-z0-9])/gu, (_, character: string) => escaped(character));
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, (character) => (character === "-" ? "\\x2d" : `\\${character}`));
}
