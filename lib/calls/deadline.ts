// The time limit of a call, from the call to its end.
import { T5Error } from "../util/errors.js";

/** A time limit that runs from its construction on. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  /** `timeoutMs`: in milliseconds. */
  constructor(timeoutMs: number) {
    const message = `Expected an end of the call within ${timeoutMs} ms (options.timeoutMs) but it still runs`;
    this.#timer = setTimeout(() => this.#controller.abort(new T5Error("ERR_TIMEOUT", message)), timeoutMs);
    this.#timer.unref();
  }

  /** Aborts when the time is over, with an ERR_TIMEOUT as its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stops the clock. */
  clear(): void {
    clearTimeout(this.#timer);
  }
}
