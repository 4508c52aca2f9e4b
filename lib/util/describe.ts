// The description of a received value in a message: short, on one line, and made without running the value's own code.
import { types } from "node:util";

const MAX_TEXT_LENGTH = 60;
const MAX_NAME_LENGTH = 40;

/** A short description of any value. Never throws. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(cut(value, MAX_TEXT_LENGTH));
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${cut(value.toString(), MAX_NAME_LENGTH)}n`;
    case "symbol":
      return cut(value.toString(), MAX_NAME_LENGTH);
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : describeObject(value);
    default:
      return String(value);
  }
}

/** `text`, cut at `length` with an ellipsis. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text;
}

function describeObject(value: object): string {
  // Every look into a proxy runs the caller's code.
  if (types.isProxy(value)) return "a proxy";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `an array of length ${value.length}`;
  const name = nameOf(value);
  return name === undefined ? "an object" : `${/^[aeiou]/i.test(name) ? "an" : "a"} ${name}`;
}

/** The name of an object's class; undefined for a plain object, and where reading the name would run code. */
function nameOf(value: object): string | undefined {
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === null || types.isProxy(prototype)) return undefined;
  // A plain object's, of this realm or another.
  if (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "hasOwnProperty")) return undefined;
  const made: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  if (typeof made !== "function" || types.isProxy(made)) return undefined;
  const name: unknown = Object.getOwnPropertyDescriptor(made, "name")?.value;
  return typeof name === "string" && /^[\w$]+$/.test(name) ? cut(name, MAX_NAME_LENGTH) : undefined;
}
