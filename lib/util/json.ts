// JSON files of a model: errors name the file, and names are converted to camelCase and back.
import { cut } from "./describe.js";
import { T5Error } from "./errors.js";
import { expected, isRecord } from "./validation.js";

/** As `expected`, with the code ERR_MODEL_CORRUPT. */
export function corrupt(what: string, name: string, received: unknown): T5Error {
  return expected(what, name, received, "ERR_MODEL_CORRUPT");
}

/** A JSON object. Throws ERR_MODEL_CORRUPT. */
export function checkObject(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw corrupt("a JSON object", name, value);
}

/** The value in the text of a JSON file. Throws ERR_MODEL_CORRUPT. */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `Expected JSON for ${name} but received ${JSON.stringify(cut(text, 20))}`;
    throw new T5Error("ERR_MODEL_CORRUPT", message, { cause });
  }
}

/** A name of Hugging Face's JSON files as this package calls it: "max_length" as "maxLength". */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The name of one of this package's options or sizes in Hugging Face's JSON files: "maxLength" as "max_length". */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
