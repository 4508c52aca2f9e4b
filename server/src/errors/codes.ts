// Every error code that the server answers with, and the status of each in HTTP and in gRPC.
import type { T5ErrorCode } from "torch-t5";

/** The codes of the server, which join those of the library. */
export type ServerErrorCode =
  | "ERR_ABANDONED"
  | "ERR_BODY_TOO_LARGE"
  | "ERR_LIMIT"
  | "ERR_NOT_FOUND"
  | "ERR_NOT_READY"
  | "ERR_QUEUE_UNAVAILABLE"
  | "ERR_SHUTTING_DOWN"
  | "ERR_UNAUTHORIZED"
  | "ERR_UNSUPPORTED_MEDIA_TYPE";

export type ErrorCode = T5ErrorCode | ServerErrorCode;

/** gRPC's status codes by their names. */
export const GRPC_STATUS = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

interface Statuses {
  readonly http: number;
  readonly grpc: number;
}

const INVALID: Statuses = { http: 400, grpc: GRPC_STATUS.INVALID_ARGUMENT };
const UNAVAILABLE: Statuses = { http: 503, grpc: GRPC_STATUS.UNAVAILABLE };
const INTERNAL: Statuses = { http: 500, grpc: GRPC_STATUS.INTERNAL };

export const STATUSES: Readonly<Record<ErrorCode, Statuses>> = {
  ERR_INVALID_ARGUMENT: INVALID,
  ERR_TOKEN_OUT_OF_RANGE: INVALID,
  ERR_LIMIT: INVALID,
  ERR_BODY_TOO_LARGE: { http: 413, grpc: GRPC_STATUS.RESOURCE_EXHAUSTED },
  ERR_UNSUPPORTED_MEDIA_TYPE: { http: 415, grpc: GRPC_STATUS.INVALID_ARGUMENT },
  ERR_UNAUTHORIZED: { http: 401, grpc: GRPC_STATUS.UNAUTHENTICATED },
  ERR_NOT_FOUND: { http: 404, grpc: GRPC_STATUS.NOT_FOUND },
  ERR_QUEUE_FULL: { http: 429, grpc: GRPC_STATUS.RESOURCE_EXHAUSTED },
  // Nobody reads this answer: 499 is nginx's number for the log.
  ERR_ABANDONED: { http: 499, grpc: GRPC_STATUS.CANCELLED },
  ERR_TIMEOUT: { http: 504, grpc: GRPC_STATUS.DEADLINE_EXCEEDED },
  ERR_OUT_OF_MEMORY: UNAVAILABLE,
  ERR_DISPOSED: UNAVAILABLE,
  ERR_NOT_READY: UNAVAILABLE,
  ERR_QUEUE_UNAVAILABLE: UNAVAILABLE,
  ERR_SHUTTING_DOWN: UNAVAILABLE,
  ERR_DEVICE_UNAVAILABLE: UNAVAILABLE,
  ERR_MODEL_NOT_FOUND: INTERNAL,
  ERR_MODEL_ACCESS_DENIED: INTERNAL,
  ERR_DOWNLOAD_FAILED: INTERNAL,
  ERR_MODEL_CORRUPT: INTERNAL,
  ERR_MODEL_UNTRUSTED: INTERNAL,
  ERR_LIBTORCH_NOT_FOUND: INTERNAL,
  ERR_LIBTORCH_VERSION: INTERNAL,
  ERR_INTERNAL: INTERNAL,
};

/** The seconds after which a client may try again. */
const RETRY_AFTER: Partial<Readonly<Record<ErrorCode, number>>> = {
  ERR_QUEUE_FULL: 1,
  ERR_NOT_READY: 5,
  ERR_SHUTTING_DOWN: 5,
  ERR_OUT_OF_MEMORY: 5,
};

export function retryAfterOf(code: ErrorCode): number | undefined {
  return RETRY_AFTER[code];
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(STATUSES, value);
}
