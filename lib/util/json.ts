// JSON files of a model: errors name the file, and names are converted to camelCase and back.
import { cut } from "./describe.js";
import { T5Error } from "./errors.js";
import { expected, isRecord, refused } from "./validation.js";

const MAX_NAME_LENGTH = 60;

/** As `expected`, with the code ERR_MODEL_CORRUPT. */
export function corrupt(what: string, name: string, received: unknown): T5Error {
  return expected(what, name, received, "ERR_MODEL_CORRUPT");
}

/** A JSON object. Throws ERR_MODEL_CORRUPT. */
export function checkObject(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw corrupt("a JSON object", name, value);
}

/**
 * The value in the text of a JSON file. With `maxDepth`, objects and arrays may be nested that deep, and no object may
 * have a name twice. Throws ERR_MODEL_CORRUPT.
 */
export function parseJson(text: string, name: string, maxDepth?: number): unknown {
  if (maxDepth !== undefined) checkStructure(text, name, maxDepth);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = `Expected JSON for ${name} but received ${JSON.stringify(cut(text, 20))}`;
    throw new T5Error("ERR_MODEL_CORRUPT", message, { cause });
  }
}

/**
 * Refuses deep JSON, whose value would take many times the memory of its text, and JSON with a name twice, of which
 * readers take different ones. Any other text passes: it may still be no JSON.
 */
function checkStructure(text: string, name: string, maxDepth: number): void {
  /** The names so far of each open object; undefined for an open array. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case "{":
      case "[":
        isName = text[at] === "{";
        open.push(isName ? new Set() : undefined);
        if (open.length > maxDepth) throw corrupt(`JSON of at most ${maxDepth} levels`, name, open.length);
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case ",":
        isName = open.at(-1) !== undefined;
        break;
      case ":":
        isName = false;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (isName) addName(open.at(-1), text.slice(at, end + 1), name);
        at = end;
        break;
      }
    }
  }
}

/** The index of the quote that ends the string that begins at `begin`; the text's length where there is none. */
function endOfString(text: string, begin: number): number {
  for (let at = begin + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

function addName(names: Set<string> | undefined, quoted: string, file: string): void {
  const name = String(parseJson(quoted, file));
  if (names?.has(name)) {
    const twice = `${JSON.stringify(cut(name, MAX_NAME_LENGTH))} twice`;
    throw refused("each name once", file, twice, "ERR_MODEL_CORRUPT");
  }
  names?.add(name);
}

/** A name of Hugging Face's JSON files as this package calls it: "max_length" as "maxLength". */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The name of one of this package's options or sizes in Hugging Face's JSON files: "maxLength" as "max_length". */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
