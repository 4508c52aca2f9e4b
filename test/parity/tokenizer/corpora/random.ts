// Pseudo-random numbers, the same in every run and on every version of Node.

/** The sequence of numbers of a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number from 0, included, to 1, excluded. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<Item>(items: ArrayLike<Item>): Item {
    const item = items[this.integer(0, items.length - 1)];
    if (item === undefined) throw new Error("Expected something to pick from but received nothing");
    return item;
  }

  /** The concatenation of `count` strings that `make` returns. */
  join(count: number, make: () => string): string {
    return Array.from({ length: count }, make).join("");
  }
}
