// JSON files of a model: parsed, with errors that name the file.
import { cut } from "./describe.js";
import { T5Error } from "./errors.js";
import { expected, isRecord } from "./validation.js";

/** An ERR_MODEL_CORRUPT that follows the template of every message. */
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
