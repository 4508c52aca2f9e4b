// The tokens of a text while they are found: ids, and the part of the text that each one stands for.
import { MOST_ROOM_KEPT } from "./aligned-text.js";

const LEAST_ROOM = 64;

export class TokenList {
  #ids = new Int32Array(LEAST_ROOM);
  /** Two numbers each: start and end. */
  #offsets = new Int32Array(2 * LEAST_ROOM);
  length = 0;

  /** Empties it, and gives back what a long text took. */
  clear(): void {
    this.length = 0;
    if (this.#ids.length <= MOST_ROOM_KEPT) return;
    this.#ids = new Int32Array(LEAST_ROOM);
    this.#offsets = new Int32Array(2 * LEAST_ROOM);
  }

  push(id: number, start: number, end: number): void {
    const index = this.length++;
    if (index === this.#ids.length) {
      this.#ids = grown(this.#ids);
      this.#offsets = grown(this.#offsets);
    }
    this.#ids[index] = id;
    this.#offsets[2 * index] = start;
    this.#offsets[2 * index + 1] = end;
  }

  /** Turns the tokens from `first` on around. */
  reverse(first: number): void {
    const ids = this.#ids;
    const offsets = this.#offsets;
    for (let low = first, high = this.length - 1; low < high; low++, high--) {
      swap(ids, low, high);
      swap(offsets, 2 * low, 2 * high);
      swap(offsets, 2 * low + 1, 2 * high + 1);
    }
  }

  /** The ids, those behind the first `count` left out. A view: the next text overwrites it. */
  ids(count = this.length): Int32Array {
    return this.#ids.subarray(0, count);
  }

  /** The same for the offsets, two for each id. */
  offsets(count = this.length): Int32Array {
    return this.#offsets.subarray(0, 2 * count);
  }
}

function swap(array: Int32Array, low: number, high: number): void {
  const kept = array[low] ?? 0;
  array[low] = array[high] ?? 0;
  array[high] = kept;
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}
