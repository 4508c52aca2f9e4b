// A text in pieces: ranges of it, some of which are tokens already.
import { AlignedText } from "./aligned-text.js";

/** What a piece has in place of a token's id that isn't tokenized yet. */
export const UNTOKENIZED = -1;

/** Splits one piece of `source` further: adds what it becomes to `target`. */
export type Splitter = (source: AlignedText, from: number, to: number, target: Pieces) => void;

export class Pieces {
  text = new AlignedText();
  /** Three numbers each: where it begins, where it ends, and its token. */
  #ranges = new Int32Array(3 * 64);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  start(index: number): number {
    return this.#ranges[3 * index] ?? 0;
  }

  end(index: number): number {
    return this.#ranges[3 * index + 1] ?? 0;
  }

  token(index: number): number {
    return this.#ranges[3 * index + 2] ?? UNTOKENIZED;
  }

  clear(): void {
    this.text.length = 0;
    this.#count = 0;
  }

  /** Adds a range of `text`; an empty one is left out, as in Rust. */
  add(start: number, end: number, token = UNTOKENIZED): void {
    if (start >= end) return;
    const at = 3 * this.#count++;
    if (at === this.#ranges.length) {
      const larger = new Int32Array(2 * at);
      larger.set(this.#ranges);
      this.#ranges = larger;
    }
    this.#ranges[at] = start;
    this.#ranges[at + 1] = end;
    this.#ranges[at + 2] = token;
  }

  /** Becomes the pieces of `source`, those that aren't tokens split. */
  split(source: Pieces, splitter: Splitter): void {
    this.clear();
    for (let index = 0; index < source.count; index++) {
      const from = source.start(index);
      const to = source.end(index);
      const token = source.token(index);
      if (token === UNTOKENIZED) splitter(source.text, from, to, this);
      else this.append(source.text, from, to, token);
    }
  }

  /** Adds a part of another text as one piece. */
  append(source: AlignedText, from: number, to: number, token = UNTOKENIZED): void {
    const start = this.text.length;
    this.text.append(source, from, to);
    this.add(start, this.text.length, token);
  }
}
