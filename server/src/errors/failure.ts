// What a client is told about whatever was thrown: a code, a status and one sentence.
import { type ErrorCode, isErrorCode, retryAfterOf, STATUSES } from "./codes.js";

/** An error as every protocol reports it, each in its own shape. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** HTTP's status. */
  readonly status: number;
  /** gRPC's status. */
  readonly grpcStatus: number;
  /** Seconds after which the client may try again. */
  readonly retryAfter: number | undefined;
}

/** Codes of Fastify's own errors, as codes of the server. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_VALIDATION: "ERR_INVALID_ARGUMENT",
  FST_ERR_CTP_BODY_TOO_LARGE: "ERR_BODY_TOO_LARGE",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "ERR_UNSUPPORTED_MEDIA_TYPE",
  FST_ERR_CTP_EMPTY_JSON_BODY: "ERR_INVALID_ARGUMENT",
  FST_ERR_CTP_INVALID_JSON_BODY: "ERR_INVALID_ARGUMENT",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "ERR_INVALID_ARGUMENT",
};

/** Messages in place of Fastify's. */
const MESSAGES: Partial<Readonly<Record<ErrorCode, string>>> = {
  ERR_UNSUPPORTED_MEDIA_TYPE: "Expected application/json for content-type but received another type",
  ERR_BODY_TOO_LARGE: "Expected at most limits.bodyBytes for the length of the body but received more",
};

/** Describes what was thrown. The message of an unforeseen error is for the log alone. */
export function failureOf(thrown: unknown): Failure {
  const { code, message } = codeAndMessage(thrown);
  const { http, grpc } = STATUSES[code];
  return { code, message, status: http, grpcStatus: grpc, retryAfter: retryAfterOf(code) };
}

function codeAndMessage(thrown: unknown): { readonly code: ErrorCode; readonly message: string } {
  if (thrown instanceof Error && "code" in thrown) {
    const { code, message } = thrown;
    if (isErrorCode(code)) return { code, message: firstLine(message) };
    const known = typeof code === "string" ? FASTIFY_CODES[code] : undefined;
    if (known !== undefined) return { code: known, message: MESSAGES[known] ?? firstLine(message) };
  }
  // A client's mistake that Fastify or its JSON parser found.
  if (thrown instanceof Error && "statusCode" in thrown) {
    const status = Number(thrown.statusCode);
    if (status >= 400 && status < 500) return { code: "ERR_INVALID_ARGUMENT", message: firstLine(thrown.message) };
  }
  return { code: "ERR_INTERNAL", message: "An unforeseen error, which the server's log has" };
}

const firstLine = (message: string) => message.split("\n", 1)[0] ?? "";

/** Whether an error is a defect or a fault of the machine, whose stack belongs in the log. */
export function isUnforeseen(failure: Failure): boolean {
  return failure.status === 500;
}
