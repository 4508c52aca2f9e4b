// The one error class of the package: a stable code, one sentence, and the caller's stack.

const codes = [
  "ERR_INVALID_ARGUMENT",
  "ERR_TOKEN_OUT_OF_RANGE",
  "ERR_MODEL_NOT_FOUND",
  "ERR_MODEL_CORRUPT",
  "ERR_MODEL_UNTRUSTED",
  "ERR_LIBTORCH_NOT_FOUND",
  "ERR_LIBTORCH_VERSION",
  "ERR_DEVICE_UNAVAILABLE",
  "ERR_OUT_OF_MEMORY",
  "ERR_QUEUE_FULL",
  "ERR_DISPOSED",
  "ERR_INTERNAL",
] as const;

/** What went wrong, as a program sees it. */
export type T5ErrorCode = (typeof codes)[number];

/** Every error that torch-t5 throws or rejects with; an aborted call alone rejects with its signal's reason instead. */
export class T5Error extends Error {
  readonly code: T5ErrorCode;

  constructor(code: T5ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
// On the prototype, so that printing an error doesn't list its name as a property of its own.
Object.defineProperty(T5Error.prototype, "name", { value: "T5Error", configurable: true, writable: true });

/** Where a public method was called. V8 formats the frames only when they are read. */
export type CallSite = { readonly stack?: string };

/** Remembers the caller of `method`, for an error that is found out later. */
export function captureCallSite(method: (...args: never[]) => unknown): CallSite {
  const site = {};
  Error.captureStackTrace(site, method);
  return site;
}

/**
 * The T5Error to reject with for whatever was thrown: its own code and message where it has them, and the caller's stack.
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

function convert(thrown: unknown): T5Error {
  if (!(thrown instanceof Error)) return new T5Error("ERR_INTERNAL", "An unknown value was thrown", { cause: thrown });
  const received: unknown = "code" in thrown ? thrown.code : undefined;
  const code = codes.find((known) => known === received) ?? "ERR_INTERNAL";
  return new T5Error(code, thrown.message, { cause: thrown });
}
