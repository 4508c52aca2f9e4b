// Checks of the caller's arguments. Each throws a T5Error whose message follows one template:
// `Expected <what> for <name> but received <value>`.
import { fileURLToPath } from "node:url";
import { describe } from "./describe.js";
import { T5Error, type T5ErrorCode } from "./errors.js";

/** The maximum of a size in native code, which counts in int32. */
export const INT32_MAX = 2 ** 31 - 1;

/** Names up to this many edits apart are taken for misspellings of each other. */
const MAX_EDITS = 3;

/** The error for a wrong value, which the message describes. Its code is ERR_INVALID_ARGUMENT by default. */
export function expected(what: string, name: string, received: unknown, code?: T5ErrorCode): T5Error {
  return refused(what, name, describe(received), code);
}

/** As `expected`, with the received value in words. */
export function refused(
  what: string,
  name: string,
  received: string,
  code: T5ErrorCode = "ERR_INVALID_ARGUMENT",
): T5Error {
  return new T5Error(code, `Expected ${what} for ${name} but received ${received}`);
}

/** An object whose properties have known names only; `undefined` counts as an empty one. */
export function checkOptions(
  value: unknown,
  name: string,
  known: readonly string[],
  others: readonly string[] = [],
): Readonly<Record<string, unknown>> {
  if (value === undefined) return {};
  if (!isRecord(value)) throw expected("an object", name, value);
  for (const key of Object.keys(value)) {
    if (!known.includes(key) && !others.includes(key)) throw unknownName(key, name, known);
  }
  return value;
}

/** Whether a value is an object and no array; its properties may still be anything. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** An integer from `min` to `max`. */
export function checkInteger(value: unknown, name: string, min: number, max = INT32_MAX): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  const range = max === INT32_MAX ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
  throw expected(range, name, value);
}

/** A finite number for which `isRight` holds; `what` describes such numbers. */
export function checkNumber(value: unknown, name: string, what: string, isRight: (value: number) => boolean): number {
  if (typeof value === "number" && Number.isFinite(value) && isRight(value)) return value;
  throw expected(what, name, value);
}

/** A boolean; `undefined` counts as false. */
export function checkFlag(value: unknown, name: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw expected("a boolean", name, value);
  return value;
}

/** One of the strings `choices`. */
export function checkChoice<Choice extends string>(value: unknown, name: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  const quoted = choices.map((choice) => `"${choice}"`);
  throw expected(`${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`, name, value);
}

/** A path given as a string or a `file:` URL. */
export function readPath(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
  const url = hrefOf(value);
  if (url?.startsWith("file:")) {
    try {
      return fileURLToPath(url);
    } catch {
      // It has a host, or an encoded slash.
    }
  }
  throw expected("a path or a file: URL", name, url ?? value);
}

/** The text of a URL, also of another realm's or a polyfill's; undefined for any other value. */
function hrefOf(value: unknown): string | undefined {
  if (!isRecord(value) || typeof value.protocol !== "string") return undefined;
  const { href } = value;
  return typeof href === "string" ? href : undefined;
}

function unknownName(key: string, name: string, known: readonly string[]): T5Error {
  const [closest] = known
    .map((candidate) => ({ candidate, distance: editDistance(key.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const hint =
    closest !== undefined && closest.distance <= MAX_EDITS && closest.distance < closest.candidate.length
      ? `; did you mean ${closest.candidate}?`
      : "";
  return refused(`only ${known.join(", ")}`, `the names in ${name}`, `${describe(key)}${hint}`);
}

/** Levenshtein distance; infinite for names whose lengths alone differ too much, which bounds the work. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_EDITS) return Number.POSITIVE_INFINITY;
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
