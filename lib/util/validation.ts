// Checks of what users hand in. Each throws a T5Error whose message follows one template:
// `Expected <what> for <name> but received <value>`.
import { describe } from "./describe.js";
import { T5Error, type T5ErrorCode } from "./errors.js";

/** The largest count that crosses to native code, where sizes are int32. */
export const INT32_MAX = 2 ** 31 - 1;

/** A misspelt name is taken for another one at no more than this many edits. */
const CLOSE_ENOUGH = 3;

/** The error for a value that isn't what it should be. */
export function expected(what: string, name: string, received: unknown, code?: T5ErrorCode): T5Error {
  return refused(what, name, describe(received), code);
}

/** The same for what is best told in words. */
export function refused(
  what: string,
  name: string,
  received: string,
  code: T5ErrorCode = "ERR_INVALID_ARGUMENT",
): T5Error {
  return new T5Error(code, `Expected ${what} for ${name} but received ${received}`);
}

/** A plain object of options: of the given names only. `undefined` counts as no options at all. */
export function checkOptions(
  value: unknown,
  name: string,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw expected("an object", name, value);
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw unknownName(key, name, known);
  }
  return value;
}

/** Whether a value is an object that isn't an array; its properties may still be anything. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** An integer from `least` to `most`. */
export function checkInteger(value: unknown, name: string, least: number, most = INT32_MAX): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
  const range = most === INT32_MAX ? `an integer of at least ${least}` : `an integer from ${least} to ${most}`;
  throw expected(range, name, value);
}

/** The same, or `fallback` where nothing is given. */
export function checkOptionalInteger(value: unknown, name: string, least: number, fallback: number): number {
  return value === undefined ? fallback : checkInteger(value, name, least);
}

/** A finite number that `isRight`; `what` says which ones are. */
export function checkNumber(value: unknown, name: string, what: string, isRight: (value: number) => boolean): number {
  if (typeof value === "number" && Number.isFinite(value) && isRight(value)) return value;
  throw expected(what, name, value);
}

/** A boolean, or false where nothing is given. */
export function checkFlag(value: unknown, name: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw expected("a boolean", name, value);
  return value;
}

function unknownName(key: string, name: string, known: readonly string[]): T5Error {
  const [closest] = known
    .map((candidate) => ({ candidate, distance: editDistance(key.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const hint =
    closest !== undefined && closest.distance <= CLOSE_ENOUGH && closest.distance < closest.candidate.length
      ? `; did you mean ${closest.candidate}?`
      : "";
  return refused(`only ${known.join(", ")}`, `the names in ${name}`, `${describe(key)}${hint}`);
}

/** Levenshtein distance, of names no longer than an option's; a longer one is far from every name. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > CLOSE_ENOUGH) return Number.POSITIVE_INFINITY;
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substituted = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      const removed = (previous[column] ?? 0) + 1;
      const inserted = (current[column - 1] ?? 0) + 1;
      current.push(Math.min(substituted, removed, inserted));
    }
    previous = current;
  }
  return previous[b.length] ?? Number.POSITIVE_INFINITY;
}
