// A text in pieces: ranges of it, some of which are tokens already.
import { AlignedText, MOST_ROOM_KEPT } from "./aligned-text.js";

/** What a piece has in place of a token's id that isn't tokenized yet. */
export const UNTOKENIZED = -1;

const WIDTH = 3;
const END = 1;
const TOKEN = 2;
const LEAST_ROOM = 64;

/** Ranges of a text, each with its token. */
export class Ranges {
  #numbers = new Int32Array(WIDTH * LEAST_ROOM);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  start(index: number): number {
    return this.#numbers[WIDTH * index] ?? 0;
  }

  end(index: number): number {
    return this.#numbers[WIDTH * index + END] ?? 0;
  }

  token(index: number): number {
    return this.#numbers[WIDTH * index + TOKEN] ?? UNTOKENIZED;
  }

  /** Empties them, and gives back what a long text took. */
  clear(): void {
    this.#count = 0;
    if (this.#numbers.length > WIDTH * MOST_ROOM_KEPT) this.#numbers = new Int32Array(WIDTH * LEAST_ROOM);
  }

  /** Adds a range; an empty one is left out, as in Rust. */
  add(start: number, end: number, token = UNTOKENIZED): void {
    if (start >= end) return;
    const at = WIDTH * this.#count++;
    if (at === this.#numbers.length) {
      const larger = new Int32Array(2 * at);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[at] = start;
    this.#numbers[at + END] = end;
    this.#numbers[at + TOKEN] = token;
  }
}

/** Divides a range of a text. */
export interface Splitter {
  readonly changes: false;
  split(text: AlignedText, from: number, to: number, ranges: Ranges): void;
}

/** Writes a range of a text anew, and may divide it. */
export interface Rewriter {
  readonly changes: true;
  rewrite(source: AlignedText, from: number, to: number, target: AlignedText, ranges: Ranges): void;
}

export type Step = Splitter | Rewriter;

/** A text on its way through the steps. Its buffers are used again for the next text. */
export class Pieces {
  text = new AlignedText();
  ranges = new Ranges();
  #otherText = new AlignedText();
  #otherRanges = new Ranges();

  /** Becomes a text in one piece; it has to be empty. */
  read(text: string): void {
    this.text.read(text);
    this.ranges.add(0, this.text.length);
  }

  /** Empties it. */
  clear(): void {
    this.text.clear();
    this.ranges.clear();
    this.#otherText.clear();
    this.#otherRanges.clear();
  }

  /** Takes each piece that isn't a token through a step. */
  apply(step: Step): void {
    const from = this.ranges;
    const ranges = this.#otherRanges;
    if (step.changes) this.#rewrite(step, ranges);
    else {
      for (let index = 0; index < from.count; index++) {
        const token = from.token(index);
        if (token === UNTOKENIZED) step.split(this.text, from.start(index), from.end(index), ranges);
        else ranges.add(from.start(index), from.end(index), token);
      }
    }
    from.clear();
    this.#otherRanges = from;
    this.ranges = ranges;
  }

  #rewrite(step: Rewriter, ranges: Ranges): void {
    const from = this.ranges;
    const source = this.text;
    const target = this.#otherText;
    for (let index = 0; index < from.count; index++) {
      const token = from.token(index);
      if (token === UNTOKENIZED) {
        step.rewrite(source, from.start(index), from.end(index), target, ranges);
      } else {
        const start = target.length;
        target.append(source, from.start(index), from.end(index));
        ranges.add(start, target.length, token);
      }
    }
    source.clear();
    this.#otherText = source;
    this.text = target;
  }
}
