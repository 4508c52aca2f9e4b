// Reads what tokenizer.json says; whatever can't be carried out exactly is refused by name.
import { describe } from "../util/describe.js";
import { T5Error } from "../util/errors.js";
import { isRecord } from "../util/validation.js";

export type Json = Readonly<Record<string, unknown>>;

/** The error for a setting of tokenizer.json. */
export function corrupt(what: string, name: string, received: unknown): T5Error {
  const message = `Expected ${what} for ${name} in tokenizer.json but received ${describe(received)}`;
  return new T5Error("ERR_MODEL_CORRUPT", message);
}

export function readRecord(value: unknown, name: string): Json {
  if (!isRecord(value)) throw corrupt("an object", name, value);
  return value;
}

export function readArray(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw corrupt("an array", name, value);
  return value;
}

export function readString(value: unknown, name: string): string {
  if (typeof value !== "string") throw corrupt("a string", name, value);
  return value;
}

export function readFlag(value: unknown, name: string, fallback?: boolean): boolean {
  if (value === undefined && fallback !== undefined) return fallback;
  if (typeof value !== "boolean") throw corrupt("a boolean", name, value);
  return value;
}

export function readCount(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw corrupt("an integer of at least 0", name, value);
  }
  return value;
}

/** One character. */
export function readCharacter(value: unknown, name: string): number {
  const [character, ...rest] = typeof value === "string" ? value : "";
  if (character === undefined || rest.length > 0) throw corrupt("one character", name, value);
  return character.codePointAt(0) ?? 0;
}

/** The maker of a part's type; `makers` has the types that are carried out exactly. */
export function makerOf<Maker>(settings: Json, name: string, makers: ReadonlyMap<string, Maker>): Maker {
  const { type } = settings;
  const maker = typeof type === "string" ? makers.get(type) : undefined;
  if (maker === undefined) throw corrupt(`one of ${[...makers.keys()].join(", ")}`, `${name}.type`, type);
  return maker;
}
