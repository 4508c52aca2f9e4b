// The one error class of the package: a stable code, one sentence, and the caller's stack.
import { types } from "node:util";

const codes = [
  "ERR_INVALID_ARGUMENT",
  "ERR_TOKEN_OUT_OF_RANGE",
  "ERR_MODEL_NOT_FOUND",
  "ERR_MODEL_ACCESS_DENIED",
  "ERR_DOWNLOAD_FAILED",
  "ERR_MODEL_CORRUPT",
  "ERR_MODEL_UNTRUSTED",
  "ERR_LIBTORCH_NOT_FOUND",
  "ERR_LIBTORCH_VERSION",
  "ERR_DEVICE_UNAVAILABLE",
  "ERR_OUT_OF_MEMORY",
  "ERR_QUEUE_FULL",
  "ERR_TIMEOUT",
  "ERR_DISPOSED",
  "ERR_INTERNAL",
] as const;

/** A stable code for each kind of failure. */
export type T5ErrorCode = (typeof codes)[number];

/**
 * The class of every error of torch-t5. An aborted call rejects with its signal's reason instead, and what the caller's
 * own functions throw is passed on as it is.
 */
export class T5Error extends Error {
  readonly code: T5ErrorCode;

  constructor(code: T5ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
// On the prototype: as a property of each error, the name would be printed with it.
Object.defineProperty(T5Error.prototype, "name", { value: "T5Error", configurable: true, writable: true });

/** The place where a public method was called. V8 formats the frames only when they are read. */
export type CallSite = { readonly stack?: string };

/** Captures the caller of `method`, for errors that occur later. */
export function captureCallSite(method: (...args: never[]) => unknown): CallSite {
  const site = {};
  Error.captureStackTrace(site, method);
  return site;
}

/**
 * What was thrown, as a T5Error with the caller's stack: with its own message, and its code where that is a
 * T5ErrorCode.
 */
export function errorFor(thrown: unknown, site: CallSite): T5Error {
  const error = thrown instanceof T5Error ? thrown : convert(thrown);
  const frames = site.stack?.slice(site.stack.indexOf("\n")) ?? "";
  Object.defineProperty(error, "stack", {
    value: `T5Error: ${error.message}${frames}`,
    configurable: true,
    writable: true,
  });
  return error;
}

/** Whether a value is an error, of this realm or another: native code makes those of the main one. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}

function convert(thrown: unknown): T5Error {
  if (!isError(thrown)) return new T5Error("ERR_INTERNAL", "An unknown value was thrown", { cause: thrown });
  const received: unknown = "code" in thrown ? thrown.code : undefined;
  const code = codes.find((known) => known === received) ?? "ERR_INTERNAL";
  return new T5Error(code, thrown.message, { cause: thrown });
}
