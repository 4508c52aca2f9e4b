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
  readonly event: "queued" | NativeProgress | "ended";
  /** Milliseconds since the request was queued. */
  readonly ms: number;
  /** Of "ended": the code of the error, "ERR_ABORTED" for an aborted request; undefined for a result. */
  readonly code?: string | undefined;
}

const requests = channel(REQUEST_CHANNEL);

interface Observed {
  readonly kind: string;
  readonly queued: number;
}

const observed = new Map<number, Observed>();

/** Whether anybody listens. */
export function areRequestsObserved(): boolean {
  return requests.hasSubscribers;
}

/** Call it for each request that is observed. */
export function requestQueued(id: number, kind: string): void {
  observed.set(id, { kind, queued: performance.now() });
  publish(id, "queued");
}

/** Called by native code. */
export function requestProgressed(id: number, progress: NativeProgress): void {
  publish(id, progress);
}

/** Without a code: it has a result. */
export function requestEnded(id: number, code?: string): void {
  publish(id, "ended", code);
  observed.delete(id);
}

function publish(id: number, event: RequestEvent["event"], code?: string): void {
  const request = observed.get(id);
  if (request === undefined) return; // it has ended
  const { kind, queued } = request;
  const message: RequestEvent = { id, kind, event, ms: performance.now() - queued, ...(code && { code }) };
  requests.publish(message);
}
