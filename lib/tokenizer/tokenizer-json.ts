// Reads the settings of tokenizer.json. A setting that can't be carried out exactly is refused by name.
import type { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { isRecord } from "../util/validation.js";
import { unsupported } from "./unsupported.js";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Makes a part, such as a normalizer, from its settings; `name` is their path in the file. */
type PartReader<Part> = (settings: JsonObject, name: string) => Part;

/** The readers of a part's types, those that are carried out exactly, by name. */
export type PartReaders<Part> = Readonly<Record<string, PartReader<Part>>>;

/** The ERR_MODEL_CORRUPT for a setting, named by its path in the file. */
export function corruptSetting(what: string, name: string, received: unknown): T5Error {
  return corrupt(what, `${name} in tokenizer.json`, received);
}

/** As `corruptSetting`, for a setting that the tokenizers library has, and that isn't carried out exactly. */
export function unsupportedSetting(what: string, name: string, received: unknown): T5Error {
  return unsupported(what, `${name} in tokenizer.json`, received);
}

export function readObject(value: unknown, name: string): JsonObject {
  if (!isRecord(value)) throw corruptSetting("an object", name, value);
  return value;
}

export function readArray(value: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(value)) throw corruptSetting("an array", name, value);
  return value;
}

export function readString(value: unknown, name: string): string {
  if (typeof value !== "string") throw corruptSetting("a string", name, value);
  return value;
}

export function readFlag(value: unknown, name: string, fallback?: boolean): boolean {
  if (value === undefined && fallback !== undefined) return fallback;
  if (typeof value !== "boolean") throw corruptSetting("a boolean", name, value);
  return value;
}

export function readCount(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    throw corruptSetting("an integer of at least 0", name, value);
  }
  return value;
}

/** The code point of a string of one character. */
export function readCharacter(value: unknown, name: string): number {
  const [character, ...rest] = typeof value === "string" ? value : "";
  if (character === undefined || rest.length > 0) throw corruptSetting("one character", name, value);
  return character.codePointAt(0) ?? 0;
}

/** Makes a part with the reader of its `type`. */
export function readPart<Part>(value: unknown, name: string, readers: PartReaders<Part>): Part {
  const settings = readObject(value, name);
  const { type } = settings;
  const reader = typeof type === "string" && Object.hasOwn(readers, type) ? readers[type] : undefined;
  if (reader !== undefined) return reader(settings, name);
  const refusal = typeof type === "string" ? unsupportedSetting : corruptSetting;
  throw refusal(`one of ${Object.keys(readers).join(", ")}`, `${name}.type`, type);
}

/** Makes the parts of an array, in order. */
export function readParts<Part>(value: unknown, name: string, readers: PartReaders<Part>): readonly Part[] {
  return readArray(value, name).map((each, index) => readPart(each, `${name}[${index}]`, readers));
}
