// Paths that users name.
import { fileURLToPath } from "node:url";
import { expected } from "./validation.js";

/** A path as a string or a `file:` URL. Throws ERR_INVALID_ARGUMENT. */
export function readPath(value: unknown, name: string): string {
  if (value instanceof URL && value.protocol === "file:") return fileURLToPath(value);
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
  throw expected("a path or a file: URL", name, value instanceof URL ? value.href : value);
}
