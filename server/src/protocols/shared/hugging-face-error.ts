// The shape of an error of text-generation-inference and text-embeddings-inference.
import type { ErrorCode } from "../../errors/codes.js";
import type { Failure } from "../../errors/failure.js";

const TYPES: Partial<Readonly<Record<ErrorCode, string>>> = {
  ERR_INVALID_ARGUMENT: "validation",
  ERR_TOKEN_OUT_OF_RANGE: "validation",
  ERR_LIMIT: "validation",
  ERR_BODY_TOO_LARGE: "validation",
  ERR_UNSUPPORTED_MEDIA_TYPE: "validation",
  ERR_QUEUE_FULL: "overloaded",
  ERR_NOT_READY: "unhealthy",
  ERR_SHUTTING_DOWN: "unhealthy",
  ERR_NOT_FOUND: "not_found",
  ERR_UNAUTHORIZED: "unauthorized",
};

export const huggingFaceError = ({ message, code }: Failure) => ({
  error: message,
  error_type: TYPES[code] ?? "backend",
  code,
});

/** There, a valid JSON of wrong content is 422. */
export const huggingFaceStatus = ({ status }: Failure) => (status === 400 ? 422 : status);
