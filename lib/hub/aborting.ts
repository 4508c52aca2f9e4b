// The abort signal of loading. It may be that of another realm or a polyfill, so only `aborted`, `reason` and its events
// are used.
import { onAbort } from "../util/abort.js";

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
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal.reason);
      abandon();
    };
    pending.then(resolve, reject).finally(onAbort(signal, abort));
    // It may have aborted before this listened.
    if (signal.aborted) abort();
  });
}
