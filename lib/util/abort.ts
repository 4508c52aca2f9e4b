// Listening to abort signals.

/** The callbacks of one signal, and the one listener that calls them all. */
interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly notify: () => void;
}

// One listener per signal: Node warns of a leak above ten, and a server may pass one signal to every call.
const waiting = new WeakMap<AbortSignal, Waiting>();

/** What ends a wait early. */
interface Ending {
  /** Whether that has happened. */
  readonly hasEnded: () => boolean;
  /** Calls `callback` when it happens. The returned function prevents that. */
  readonly listen: (callback: () => void) => () => void;
  /** What the wait then rejects with. */
  readonly reason: () => unknown;
}

/** Settles as `pending` does. When the ending comes first, rejects with its reason and calls `abandon`. */
export function unlessEnded<Result>(
  pending: Promise<Result>,
  { hasEnded, listen, reason }: Ending,
  abandon: () => void,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const end = () => {
      reject(reason());
      abandon();
    };
    if (hasEnded()) {
      // The caller's code may have caused it while the work began. Nothing listens: `pending` may never settle.
      pending.catch(() => {});
      end();
      return;
    }
    pending.then(resolve, reject).finally(listen(end));
  });
}

/** Whether a result is to be waited for. */
export function isPromise<Result>(value: Result | Promise<Result>): value is Promise<Result> {
  return typeof value === "object" && value !== null && "then" in value;
}

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
