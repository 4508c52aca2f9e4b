// The shape of an error of OpenAI's API.
import type { Failure } from "../../errors/failure.js";

export const openAiError = ({ message, code, status }: Failure) => ({
  error: { message, type: typeOf(status), param: null, code },
});

function typeOf(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}
