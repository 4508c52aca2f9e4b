// JSON Lines: one JSON object a line, read so that nothing of it changes on the way through.

/** A JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

const STRINGS = /"(?:[^"\\]|\\.)*"/g;
const LONG_INTEGERS = /(?<![\d.])-?\d{16,}(?![\d.eE])/g;
const LONGEST_SHOWN = 40;

/** The JSON value of a line. Throws where it is none, or holds an integer that JavaScript would change. */
export function parseLine(text: string): unknown {
  const value = tryParse(text);
  if (value === undefined) throw new Error(`Expected JSON but received ${shown(text)}`);
  const wrong = integersOf(text).find((integer) => BigInt(Number(integer)) !== BigInt(integer));
  if (wrong === undefined) return value;
  throw new Error(`Expected integers of at most 53 bits, or strings, but received ${wrong}`);
}

/** The JSON object of a line. Throws. */
export function parseObject(text: string): Fields {
  const value = parseLine(text);
  if (isFields(value)) return value;
  throw new Error(`Expected a JSON object but received ${shown(text)}`);
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A string field of an object. Throws. */
export function stringField(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw new Error(`Expected a string for ${name} but received ${shown(JSON.stringify(value))}`);
}

/** An array field of an object that has at least one item. Throws. */
export function arrayField(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (Array.isArray(value) && value.length > 0) return value;
  throw new Error(`Expected an array of at least one item for ${name} but received ${shown(JSON.stringify(value))}`);
}

/** An object without some of its fields. */
export function without(fields: Fields, ...names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));
}

/** Whether two values read from JSON are written alike. */
export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** A value as a message shows it: its JSON, cut short. */
export function shown(json: string | undefined): string {
  if (json === undefined) return "undefined";
  return json.length > LONGEST_SHOWN ? `${json.slice(0, LONGEST_SHOWN)}…` : json;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function integersOf(text: string): readonly string[] {
  // Most lines have none: only then is it worth telling numbers from digits within strings.
  return text.search(LONG_INTEGERS) === -1 ? [] : (text.replace(STRINGS, '""').match(LONG_INTEGERS) ?? []);
}
