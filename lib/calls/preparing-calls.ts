// The calls of a model whose inputs are being prepared in time slices, and what waits for them: `dispose`. A call
// starts as soon as its own input is ready.
import { T5Error } from "../util/errors.js";

/** A call whose input is being prepared, or a function that waits for the ones before it. */
interface Entry {
  readonly run: (() => void) | undefined;
}

/** One call, for `end`. */
export type PreparingCall = Entry & { readonly run: undefined };

export class PreparingCalls {
  readonly #maxQueueLength: number;
  /** In the order in which they were added. The first one is a call. */
  readonly #entries = new Set<Entry>();
  #calls = 0;

  /** `maxQueueLength` is that of the load options; 0: no limit. */
  constructor(maxQueueLength: number) {
    this.#maxQueueLength = maxQueueLength;
  }

  /** Adds a call, which has to `end`. Throws ERR_QUEUE_FULL. */
  begin(): PreparingCall {
    const limit = this.#maxQueueLength;
    if (limit !== 0 && this.#calls >= limit) {
      throw new T5Error(
        "ERR_QUEUE_FULL",
        `Expected at most ${limit} waiting calls (maxQueueLength) but received one more`,
      );
    }
    const call = { run: undefined };
    this.#entries.add(call);
    this.#calls++;
    return call;
  }

  /** Removes a call, which has started or failed. */
  end(call: PreparingCall): void {
    if (this.#entries.delete(call)) this.#calls--;
    for (const first of this.#entries) {
      if (first.run === undefined) break;
      this.#entries.delete(first);
      first.run();
    }
  }

  /** Calls `run` after every call so far has ended, at once if there is none. */
  after(run: () => void): void {
    if (this.#entries.size === 0) run();
    else this.#entries.add({ run });
  }
}
