// The order in which the calls of a model reach native code: that in which they were made, however long each one's
// texts take to tokenize.
import { T5Error } from "../util/errors.js";

/** The place of one call. */
export interface Place {
  /** Passes the call to native code; undefined while it is prepared. */
  start: (() => void) | undefined;
}

export class StartOrder {
  readonly #maxQueueLength: number;
  /** The calls that have not started, in order. The first one is being prepared. */
  readonly #places = new Set<Place>();

  /** `maxQueueLength` is that of the load options; 0: no limit. */
  constructor(maxQueueLength: number) {
    this.#maxQueueLength = maxQueueLength;
  }

  /** Whether a call may start at once. */
  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** Takes the next place, for `start` or `leave`. Throws ERR_QUEUE_FULL. */
  take(): Place {
    const limit = this.#maxQueueLength;
    if (limit !== 0 && this.#places.size >= limit) {
      throw new T5Error(
        "ERR_QUEUE_FULL",
        `Expected at most ${limit} waiting calls (maxQueueLength) but received one more`,
      );
    }
    const place = { start: undefined };
    this.#places.add(place);
    return place;
  }

  /** Calls `start` as soon as every call with an earlier place has started or left. */
  start(place: Place, start: () => void): void {
    place.start = start;
    for (const first of this.#places) {
      if (first.start === undefined) break;
      this.#places.delete(first);
      first.start();
    }
  }

  /** Gives a place up. Returns false if its call has started. */
  leave(place: Place): boolean {
    if (!this.#places.has(place)) return false;
    this.start(place, () => {});
    this.#places.delete(place);
    return true;
  }

  /** Calls `run` after every call so far has started. */
  after(run: () => void): void {
    const place = { start: undefined };
    this.#places.add(place);
    this.start(place, run);
  }
}
