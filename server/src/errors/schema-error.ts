// Messages for values that contradict a JSON schema, in the form of the library's.
import { expected, type ServerError } from "./server-error.js";

/** What Ajv reports, with its option `verbose`. */
export interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string | undefined;
  readonly data?: unknown;
}

/** The first error as "Expected an integer for body.n but received "3"". `root` names the validated value. */
export function schemaError(errors: readonly SchemaError[], root: string): ServerError {
  const error = mostSpecific(errors);
  if (error === undefined) return expected("a value of its schema", root, undefined);
  const { keyword, instancePath, params, data, message = "a value of its schema" } = error;
  const name = `${root}${instancePath.replaceAll("/", ".")}`;
  switch (keyword) {
    case "required":
      return expected("a value", `${name}.${String(params.missingProperty)}`, undefined);
    case "additionalProperties":
      return expected("a known name", `a property of ${name}`, params.additionalProperty);
    case "type":
      return expected(typeName(params.type), name, data);
    case "enum":
      return expected(`one of ${list(params.allowedValues)}`, name, data);
    case "const":
      return expected(JSON.stringify(params.allowedValue), name, data);
    case "anyOf":
      return expected("a value of its schema", name, data);
    default:
      return expected(phrase(message), name, data);
  }
}

/** "must be >= 1" and the like of Ajv, as what was expected. */
function phrase(message: string): string {
  return message
    .replace(/^must be /, "a value ")
    .replace(/^must NOT have /, "no ")
    .replace(/^must match /, "a match of ");
}

/** Of a union's errors the last one is the union's own; those before it are of its members. */
function mostSpecific(errors: readonly SchemaError[]): SchemaError | undefined {
  const deepest = errors.reduce((depth, { instancePath }) => Math.max(depth, instancePath.length), 0);
  const candidates = errors.filter(({ instancePath }) => instancePath.length === deepest);
  return candidates.find(({ keyword }) => keyword === "anyOf") ?? candidates[0];
}

function typeName(type: unknown): string {
  if (Array.isArray(type)) return type.map(typeName).join(" or ");
  const name = String(type);
  return name === "null" ? "null" : `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}`;
}

function list(values: unknown): string {
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value)).join(", ") : JSON.stringify(values);
}
