// How a received value looks in a message: short, on one line, and without running any of the value's own code unguarded.
import { types } from "node:util";

const LONGEST_TEXT = 60;
const LONGEST_NAME = 40;

/** A short description of any value at all. Never throws. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(cut(value, LONGEST_TEXT));
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${cut(value.toString(), LONGEST_NAME)}n`;
    case "symbol":
      return cut(value.toString(), LONGEST_NAME);
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : describeObject(value);
    default:
      return String(value);
  }
}

/** `text` with what is beyond `length` replaced by an ellipsis. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

function describeObject(value: object): string {
  // A proxy answers every question with code of the caller's.
  if (types.isProxy(value)) return "a proxy";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `an array of length ${value.length}`;
  const name = nameOf(value);
  return name === undefined ? "an object" : `${/^[aeiou]/i.test(name) ? "an" : "a"} ${name}`;
}

/** The constructor's name of an object of a class, or undefined for a plain one and where finding out would run code. */
function nameOf(value: object): string | undefined {
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype || types.isProxy(prototype)) return undefined;
  const made: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof made !== "function" || types.isProxy(made)) return undefined;
  const name: unknown = Object.getOwnPropertyDescriptor(made, "name")?.value;
  return typeof name === "string" && /^[\w$]+$/.test(name) ? cut(name, LONGEST_NAME) : undefined;
}
