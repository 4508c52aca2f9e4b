// The abort signal of loading. It may be that of another realm or a polyfill, so only `aborted`, `reason` and its events
// are used.
import { onAbort, unlessEnded } from "../util/abort.js";

/** Throws the signal's reason if it has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}

/** Settles as `pending` does. When the signal aborts first, rejects with its reason and calls `abandon`. */
export function unlessAborted<Result>(
  signal: AbortSignal | undefined,
  pending: Promise<Result>,
  abandon: () => void = () => {},
): Promise<Result> {
  if (signal === undefined) return pending;
  const ending = {
    hasEnded: () => signal.aborted,
    listen: (callback: () => void) => onAbort(signal, callback),
    reason: () => signal.reason,
  };
  return unlessEnded(pending, ending, abandon);
}
