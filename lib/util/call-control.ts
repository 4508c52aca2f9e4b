// What a caller decides about a call besides its work: when it ends early, and which calls start before it.
import { onAbort } from "./abort.js";
import { checkInteger, checkNumber, expected, isRecord } from "./validation.js";

/** The options that every call has. */
export const CALL_OPTIONS = ["signal", "timeoutMs", "priority"] as const;

/** The longest delay of a timer. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_PRIORITY = 2 ** 31 - 1;

/** The options of a call, checked. */
export interface CallControl {
  readonly signal: AbortSignal | undefined;
  readonly timeout: Timeout | undefined;
  /** Calls with a higher priority start first. */
  readonly priority: number;
}

const NO_CONTROL: CallControl = Object.freeze({ signal: undefined, timeout: undefined, priority: 0 });

/** The time that a call may take, from now on. */
export class Timeout {
  readonly ms: number;
  readonly #end: number;

  constructor(ms: number) {
    this.ms = ms;
    this.#end = performance.now() + ms;
  }

  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** Calls `callback` when the time is over. The returned function prevents it. */
  start(callback: () => void): () => void {
    const timer = setTimeout(callback, Math.max(0, this.#end - performance.now()));
    return () => clearTimeout(timer);
  }
}

/** Reads the options that every call has. The time of a timeout starts here. Throws ERR_INVALID_ARGUMENT. */
export function readControl(given: Readonly<Partial<Record<(typeof CALL_OPTIONS)[number], unknown>>>): CallControl {
  const { signal, timeoutMs, priority } = given;
  if (signal === undefined && timeoutMs === undefined && priority === undefined) return NO_CONTROL;
  return {
    signal: checkSignal(signal),
    timeout: timeoutMs === undefined ? undefined : new Timeout(checkTimeout(timeoutMs)),
    priority: priority === undefined ? 0 : checkInteger(priority, "options.priority", -MAX_PRIORITY, MAX_PRIORITY),
  };
}

/** Whether the signal has aborted or the time is over. */
export function hasEnded({ signal, timeout }: CallControl): boolean {
  return signal?.aborted === true || timeout?.isOver === true;
}

/** Calls `callback` once the signal aborts or the time is over. The returned function prevents it. */
export function onEnd({ signal, timeout }: CallControl, callback: () => void): () => void {
  const unlisten = signal && onAbort(signal, callback);
  const stop = timeout?.start(callback);
  return () => {
    unlisten?.();
    stop?.();
  };
}

function checkTimeout(value: unknown): number {
  const what = `a number greater than 0 and at most ${MAX_TIMEOUT_MS}`;
  return checkNumber(value, "options.timeoutMs", what, (ms) => ms > 0 && ms <= MAX_TIMEOUT_MS);
}

/** An AbortSignal or undefined. Throws ERR_INVALID_ARGUMENT. */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || isAbortSignal(signal)) return signal;
  throw expected("an AbortSignal", "options.signal", signal);
}

/** Accepts signals of another realm and of polyfills, as `instanceof` doesn't. */
function isAbortSignal(value: unknown): value is AbortSignal {
  return (
    isRecord(value) &&
    typeof value.aborted === "boolean" &&
    typeof value.addEventListener === "function" &&
    typeof value.removeEventListener === "function"
  );
}
