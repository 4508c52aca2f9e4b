// The server's own errors, with the same form of message as the library's.
import type { ErrorCode } from "./codes.js";

/** A refusal or failure of the server. */
export class ServerError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.name = "ServerError";
  }
}

const MAX_SHOWN = 80;

/** "Expected X for name but received Y", with ERR_INVALID_ARGUMENT unless another code is given. */
export function expected(
  what: string,
  name: string,
  received: unknown,
  code: ErrorCode = "ERR_INVALID_ARGUMENT",
): ServerError {
  return new ServerError(code, `Expected ${what} for ${name} but received ${shown(received)}`);
}

/** A value as JSON on one line, shortened. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value) && value.length > 8) return `an array of ${value.length}`;
  const text = jsonOf(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return "a deeply nested value"; // of more levels than the stack has space for
  }
}
