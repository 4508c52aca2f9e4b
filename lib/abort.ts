// An abort signal and a call that native code works on.

/** Settles as `pending` does, or rejects with the signal's reason as soon as it aborts, after `cancel`. */
export function abortable<Result>(
  pending: Promise<Result>,
  signal: AbortSignal | undefined,
  cancel: () => void,
): Promise<Result> {
  if (signal === undefined) return pending;
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal.reason);
      cancel();
    };
    const settle = () => signal.removeEventListener("abort", abort);
    pending.then(resolve, reject).finally(settle);
    signal.addEventListener("abort", abort, { once: true });
  });
}
