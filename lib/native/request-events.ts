// Events of native requests on a diagnostics channel, for metrics and traces. Without a subscriber they cost nothing.
import { channel } from "node:diagnostics_channel";
import type { NativeProgress } from "./types.js";

/** The name of the diagnostics channel that `RequestEvent`s are published to. */
export const REQUEST_CHANNEL = "torch-t5:request";

/** What happens to a native request: most calls make one, `rerank` and large `embed` calls one per batch. */
export interface RequestEvent {
  /** Of the request, unique in the process's thread. */
  readonly id: number;
  /** The name of the method: "forward", "generate". */
  readonly kind: string;
  /** "firstToken": a generation has chosen its first token. */
  readonly event: NativeProgress | "ended";
  /** Milliseconds since the request was queued. */
  readonly ms: number;
  /** Milliseconds that the request waited before it started; undefined before. */
  readonly queueMs?: number | undefined;
  /** Rows of the input, or of a session; undefined for a step of `stream`, whose first request has them. */
  readonly rows?: number | undefined;
  /** Ids that the encoder reads for this request, without padding: 0 for an encoder output and a session. */
  readonly inputTokens?: number | undefined;
  /** Of "ended": the ids that the request generated, in all returned sequences; undefined if it generates none. */
  readonly outputTokens?: number | undefined;
  /** Of "ended": the code of the error, "ERR_ABORTED" for an aborted request; undefined for a result. */
  readonly code?: string | undefined;
}

const requests = channel(REQUEST_CHANNEL);

interface Observed {
  readonly kind: string;
  queued: number | undefined;
  queueMs: number | undefined;
  rows: number | undefined;
  inputTokens: number | undefined;
}

const observed = new Map<number, Observed>();

/** Whether anybody listens. */
export function areRequestsObserved(): boolean {
  return requests.hasSubscribers;
}

/** Call it before each request that is observed is made. */
export function observeRequest(id: number, kind: string): void {
  observed.set(id, { kind, queued: undefined, queueMs: undefined, rows: undefined, inputTokens: undefined });
}

/** Call it when the request has been made or refused, in the same turn of the event loop. */
export function requestMade(id: number): void {
  // A step of `stream` asks for what another request computes, and native code queues no request that it refuses.
  if (observed.get(id)?.queued === undefined) requestProgressed(id, "queued", 0);
}

/** Called by native code: a `NativeObserver`. */
export function requestProgressed(id: number, event: NativeProgress, ms: number, rows = 0, inputTokens = 0): void {
  const request = observed.get(id);
  if (request === undefined) return; // it has ended
  if (event === "queued") {
    request.queued = performance.now();
    if (rows > 0) {
      request.rows = rows;
      request.inputTokens = inputTokens;
    }
  } else if (event === "started") {
    request.queueMs = ms;
  }
  publish(id, request, { event, ms });
}

/** How a request ended. */
export interface RequestEnd {
  readonly code?: string | undefined;
  readonly outputTokens?: number | undefined;
}

/** Without a code: it has a result. */
export function requestEnded(id: number, end: RequestEnd): void {
  requestMade(id);
  const request = observed.get(id);
  if (request?.queued === undefined) return;
  observed.delete(id);
  publish(id, request, { event: "ended", ms: performance.now() - request.queued, ...end });
}

function publish(id: number, request: Observed, event: Pick<RequestEvent, "event" | "ms"> & RequestEnd): void {
  const { kind, queueMs, rows, inputTokens } = request;
  const message: RequestEvent = {
    id,
    kind,
    ...event,
    ...(queueMs !== undefined && { queueMs }),
    ...(rows !== undefined && { rows, inputTokens }),
  };
  requests.publish(message);
}
