// Listening to abort signals.

/** The callbacks of one signal, and the one listener that calls them all. */
interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly notify: () => void;
}

// One listener per signal: Node warns of a leak above ten, and a server may pass one signal to every call.
const waiting = new WeakMap<AbortSignal, Waiting>();

/** Calls `callback` when a signal aborts. The returned function removes the callback. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  listen(signal, callback);
  return () => unlisten(signal, callback);
}

function listen(signal: AbortSignal, callback: () => void): void {
  const known = waiting.get(signal);
  if (known !== undefined) {
    known.callbacks.add(callback);
    return;
  }
  const callbacks = new Set([callback]);
  const notify = () => {
    for (const abort of callbacks) abort();
  };
  signal.addEventListener("abort", notify, { once: true });
  waiting.set(signal, { callbacks, notify });
}

function unlisten(signal: AbortSignal, callback: () => void): void {
  const known = waiting.get(signal);
  known?.callbacks.delete(callback);
  if (known?.callbacks.size !== 0) return;
  signal.removeEventListener("abort", known.notify);
  waiting.delete(signal);
}
