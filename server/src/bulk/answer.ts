// The answer to one line: that of the route which the line is a body for.
import { setTimeout as sleep } from "node:timers/promises";
import type { Http } from "../protocols/shared/plugin.js";
import type { BulkLine, LineAnswer } from "./queue.js";

/** An error of the server or of the machine, after which a shard is tried again. */
export class RetryableError extends Error {}

const FIRST_SERVER_ERROR = 500;
const TOO_MANY = 429;
/** The pause before a line is tried again that found the queue of its model full. */
const QUEUE_FULL_MS = 100;

/** Answers a line. Throws RetryableError, unless it is the last try: then that is the line's error. */
export async function answerLine(
  http: Http,
  route: string,
  { number, text }: BulkLine,
  isLastTry: boolean,
): Promise<LineAnswer> {
  if (text === null)
    return { number, code: "ERR_INVALID_ARGUMENT", message: "Expected UTF-8 but received other bytes" };
  const headers = { "content-type": "application/json" };
  const ask = () => http.inject({ method: "POST", url: route, headers, payload: text });
  let response = await ask();
  while (response.statusCode === TOO_MANY) {
    await sleep(QUEUE_FULL_MS);
    response = await ask();
  }
  const { statusCode, payload, headers: answered } = response;
  const isJson = String(answered["content-type"]).startsWith("application/json");
  if (statusCode < 300 && isJson) return { number, json: payload };
  const { code, message } = isJson ? errorOf(payload) : NO_JSON;
  if (!isLastTry && statusCode >= FIRST_SERVER_ERROR) throw new RetryableError(`${message} (${code})`);
  return { number, code, message };
}

interface LineError {
  readonly code: string;
  readonly message: string;
}

const NO_JSON: LineError = {
  code: "ERR_INVALID_ARGUMENT",
  message: "Expected a request whose answer is JSON but received one for a stream",
};

/** The error in a body of any protocol. */
function errorOf(payload: string): LineError {
  const body = JSON.parse(payload) as Record<string, unknown>;
  const nested = typeof body.error === "object" && body.error !== null ? (body.error as Record<string, unknown>) : body;
  const message = nested === body ? body.error : nested.message;
  return { code: String(nested.code ?? "ERR_INTERNAL"), message: String(message) };
}
