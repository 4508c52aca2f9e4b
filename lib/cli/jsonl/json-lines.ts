// JSON Lines: splits a stream into lines, and reads and writes their JSON without changing a value on the way through.
import type { Readable } from "node:stream";

/** A line of a stream. */
export interface Line {
  /** 1 for the first line. */
  readonly number: number;
  /** Without the line break. */
  readonly bytes: Buffer;
  /** The byte offset of the next line. */
  readonly end: number;
  /** Whether a newline ends the line. The last line of a file that was cut off has none. */
  readonly isComplete: boolean;
}

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

const STRINGS = /"(?:[^"\\]|\\.)*"/g;
const LONG_INTEGERS = /(?<![\d.])-?\d{16,}(?![\d.eE])/g;
const MAX_EXCERPT_LENGTH = 40;

// A number of up to six decimal digits survives float32, so six digits find every shorter text as well; nine always
// suffice.
const MIN_DIGITS = 6;
const MAX_DIGITS = 9;

/**
 * The lines of a stream. Only "\n" and "\r\n" end a line, because JSON strings may hold U+2028 and "\r" may stand
 * alone. Holds one line in memory.
 */
export async function* readLines(stream: Readable): AsyncGenerator<Line> {
  let pieces: Buffer[] = [];
  let number = 1;
  let end = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, start)) {
      const bytes = Buffer.concat([...pieces, chunk.subarray(start, at)]);
      end += bytes.length + 1;
      yield { number, bytes: withoutReturn(bytes), end, isComplete: true };
      pieces = [];
      number++;
      start = at + 1;
    }
    if (start < chunk.length) pieces.push(chunk.subarray(start));
  }
  const bytes = Buffer.concat(pieces);
  if (bytes.length > 0) yield { number, bytes, end: end + bytes.length, isComplete: false };
}

/** The text of a line, without a byte order mark. Throws where it isn't UTF-8. */
export function textOf({ bytes }: Line): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("Expected UTF-8 but received other bytes");
  }
}

/**
 * The JSON value of a line. Throws where it isn't JSON, or holds an integer that a JavaScript number can't represent.
 */
export function parseLine(text: string): unknown {
  const value = tryParse(text);
  if (value === undefined) throw new Error(`Expected JSON but received ${excerpt(text)}`);
  const wrong = longIntegersOf(text).find((integer) => BigInt(Number(integer)) !== BigInt(integer));
  if (wrong === undefined) return value;
  throw new Error(`Expected integers of at most 53 bits, or strings, but received ${wrong}`);
}

/** The JSON object of a line. Throws where it is none. */
export function parseObject(text: string): Fields {
  const value = parseLine(text);
  if (isFields(value)) return value;
  throw new Error(`Expected a JSON object but received ${excerpt(text)}`);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A string of an object. Throws where the field is none. */
export function stringField(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw new Error(`Expected a string for ${name} but received ${excerpt(JSON.stringify(value))}`);
}

/** An array of an object, with at least one item. Throws where the field is none. */
export function arrayField(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (Array.isArray(value) && value.length > 0) return value;
  throw new Error(`Expected an array of at least one item for ${name} but received ${excerpt(JSON.stringify(value))}`);
}

/** An object without some of its fields. */
export function without(fields: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** Whether two values have the same JSON text. */
export function isSameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The beginning of a value's JSON, for messages. */
export function excerpt(json: string | undefined): string {
  if (json === undefined) return "undefined";
  return json.length > MAX_EXCERPT_LENGTH ? `${json.slice(0, MAX_EXCERPT_LENGTH)}…` : json;
}

/** The shortest decimal number that rounds to the same float32. A number that isn't a float32 stays as it is. */
export function shortestFloat32(value: number): number {
  if (Math.fround(value) !== value) return value;
  for (let digits = MIN_DIGITS; digits < MAX_DIGITS; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return Number(value.toPrecision(MAX_DIGITS));
}

/** `shortestFloat32` of each number. */
export function shortestFloat32s(values: Float32Array): readonly number[] {
  return Array.from(values, shortestFloat32);
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function longIntegersOf(text: string): readonly string[] {
  // Strings may contain digits, too. Removing them is slow, and most lines have no long run of digits at all.
  return text.search(LONG_INTEGERS) === -1 ? [] : (text.replace(STRINGS, '""').match(LONG_INTEGERS) ?? []);
}
