// The errors of requests to the hub.
import { cut } from "../util/describe.js";
import { T5Error, type T5ErrorCode } from "../util/errors.js";

interface Details {
  readonly cause?: unknown;
  /** Whether the same request may succeed later. */
  readonly isTransient?: boolean;
  /** The delay that the hub asks for before the request is repeated. */
  readonly retryAfterMs?: number | undefined;
  /** Whether the hub has the model, but not the revision. */
  readonly lacksRevision?: boolean;
}

/** An error of a request to the hub. */
export class HubError extends T5Error {
  readonly isTransient: boolean;
  readonly retryAfterMs: number | undefined;
  readonly lacksRevision: boolean;

  constructor(code: T5ErrorCode, message: string, details: Details = {}) {
    super(code, message, details.cause === undefined ? {} : { cause: details.cause });
    this.isTransient = details.isTransient ?? false;
    this.retryAfterMs = details.retryAfterMs;
    this.lacksRevision = details.lacksRevision ?? false;
  }

  /** The same error for the caller, whom the details don't concern. */
  asT5Error(): T5Error {
    return new T5Error(this.code, this.message, this.cause === undefined ? {} : { cause: this.cause });
  }
}

/** What a request asks for, for messages. */
export interface Subject {
  readonly name: string;
  readonly revision: string;
  /** Undefined: the model itself. */
  readonly file: string | undefined;
  readonly endpoint: string;
  readonly hasToken: boolean;
}

/** The parts of an answer that describe a failure. */
export interface Refusal {
  readonly status: number;
  header(name: string): string | undefined;
}

const TRANSIENT = [408, 425, 429, 500, 502, 503, 504];
const MAX_SERVER_MESSAGE = 200;
const MAX_RETRY_AFTER_SECONDS = 60;

/** The error for an answer whose status is no success. The hub states the reason in X-Error-Code. */
export function refusalError(refusal: Refusal, subject: Subject): HubError {
  const { status } = refusal;
  const { name, revision, file, endpoint, hasToken } = subject;
  const code = refusal.header("x-error-code");
  const model = `${JSON.stringify(name)} on ${endpoint}`;
  const stated = refusal.header("x-error-message");
  const told = stated === undefined ? "" : `; the hub states ${JSON.stringify(cut(stated, MAX_SERVER_MESSAGE))}`;
  if (code === "RevisionNotFound") {
    const message = `Expected a branch, tag or commit of ${model} for the revision but received ${JSON.stringify(revision)}`;
    return new HubError("ERR_MODEL_NOT_FOUND", message, { lacksRevision: true });
  }
  if (code === "EntryNotFound") {
    return new HubError("ERR_MODEL_NOT_FOUND", `Expected ${file ?? "a file"} of ${model} but the hub has none`);
  }
  if (code === "RepoNotFound" || (code === undefined && status === 404)) {
    const hint = hasToken ? "HF_TOKEN may have no access to it" : "set HF_TOKEN if it is private";
    const message = `Expected a local directory or a model on ${endpoint} with the name ${JSON.stringify(name)} but found neither; ${hint}`;
    return new HubError("ERR_MODEL_NOT_FOUND", message);
  }
  if (code === "GatedRepo") {
    const how = hasToken
      ? `accept its conditions at ${endpoint}/${name} with the account of HF_TOKEN`
      : `accept its conditions at ${endpoint}/${name}, and set HF_TOKEN`;
    return new HubError("ERR_MODEL_ACCESS_DENIED", `Expected access to ${model} but it is gated: ${how}${told}`);
  }
  if (status === 401 || status === 403 || status === 407 || status === 451) {
    const how = hasToken ? "HF_TOKEN is not accepted" : "set HF_TOKEN if it is private";
    const message = `Expected access to ${model} but received status ${status}: ${how}${told}`;
    return new HubError("ERR_MODEL_ACCESS_DENIED", message);
  }
  const message = `Expected ${file ?? "a description"} of ${model} but received status ${status}${told}`;
  return new HubError("ERR_DOWNLOAD_FAILED", message, {
    isTransient: TRANSIENT.includes(status),
    retryAfterMs: readRetryAfter(refusal.header("retry-after")),
  });
}

/** A failure that may not happen again. */
export function transientError(message: string, cause?: unknown): HubError {
  return new HubError("ERR_DOWNLOAD_FAILED", message, { cause, isTransient: true });
}

/** A failure of the file system in the cache; other errors as they are. */
export function cacheError(thrown: unknown, cacheDir: string): unknown {
  if (thrown instanceof T5Error || !(thrown instanceof Error) || !("syscall" in thrown)) return thrown;
  const code = "code" in thrown ? String(thrown.code) : "";
  const isFull = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
  const found = isFull ? `no space is left (${code})` : `received ${code}`;
  const message = `Expected a cache that can be written in ${JSON.stringify(cacheDir)} but ${found}`;
  return new T5Error("ERR_DOWNLOAD_FAILED", message, { cause: thrown });
}

/** Seconds as milliseconds; undefined for a date or anything else. */
function readRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined || !/^\d+$/.test(value)) return undefined;
  return 1000 * Math.min(Number(value), MAX_RETRY_AFTER_SECONDS);
}
