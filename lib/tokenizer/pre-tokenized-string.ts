// A text on its way to tokens: the splits that the steps before the model divide it into, and the tokens found.
import { grown, MAX_ROOM_KEPT, NormalizedString } from "./normalized-string.js";

/** The id of a split that isn't a token yet. */
const NO_TOKEN = -1;

/** Numbers in a split: start, end, id. */
const WIDTH = 3;
const END = 1;
const ID = 2;
const MIN_ROOM = 64;

/** The tokens of a text, without those that the post-processor adds. */
export interface Tokens {
  readonly ids: Int32Array;
  /** The range of the text that each id stands for, in UTF-16 units: `[ids.length, 2]`, start and end. */
  readonly offsets: Int32Array;
}

/** Finds the tokens of `text[from, to)` and adds them to `tokens`. Rust's `Model`. */
export interface Model {
  tokenize(text: NormalizedString, from: number, to: number, tokens: TokenBuffer): void;
}

/** A step that divides `text[from, to)` and leaves its characters as they are. */
export interface Splitter {
  readonly kind: "split";
  split(text: NormalizedString, from: number, to: number, splits: Splits): void;
}

/** A step that writes a new form of `source[from, to)` to `target`, and the splits that it consists of. */
export interface Rewriter {
  readonly kind: "rewrite";
  rewrite(source: NormalizedString, from: number, to: number, target: NormalizedString, splits: Splits): void;
}

/** A step before the model: added tokens, normalizer or pre-tokenizer. */
export type Step = Splitter | Rewriter;

/** Makes the function from a text to its tokens. The next call overwrites the arrays that it returns. */
export function makeEncoder(steps: readonly Step[], model: Model): (text: string) => Tokens {
  const string = new PreTokenizedString();
  const tokens = new TokenBuffer();
  return (text) => {
    // A text that failed may have left its splits and tokens.
    string.clear();
    tokens.clear();
    string.read(text);
    for (const step of steps) string.apply(step);
    const { splits } = string;
    const { starts, ends } = string.text;
    for (let index = 0; index < splits.count; index++) {
      const from = splits.start(index);
      const to = splits.end(index);
      const id = splits.id(index);
      if (id === NO_TOKEN) model.tokenize(string.text, from, to, tokens);
      else tokens.push(id, starts[from] ?? 0, ends[to - 1] ?? 0);
    }
    string.clear();
    return { ids: tokens.ids(), offsets: tokens.offsets() };
  };
}

/** Rust's `PreTokenizedString`: a text and its splits. The buffers are reused for the next text. */
class PreTokenizedString {
  text = new NormalizedString();
  splits = new Splits();
  #otherText = new NormalizedString();
  #otherSplits = new Splits();

  /** Reads a text as one split. The string has to be empty. */
  read(text: string): void {
    this.text.read(text);
    this.splits.add(0, this.text.length);
  }

  clear(): void {
    this.text.clear();
    this.splits.clear();
    this.#otherText.clear();
    this.#otherSplits.clear();
  }

  /** Applies a step to each split that isn't a token. */
  apply(step: Step): void {
    const from = this.splits;
    const splits = this.#otherSplits;
    if (step.kind === "rewrite") this.#rewrite(step, splits);
    else {
      for (let index = 0; index < from.count; index++) {
        const id = from.id(index);
        if (id === NO_TOKEN) step.split(this.text, from.start(index), from.end(index), splits);
        else splits.add(from.start(index), from.end(index), id);
      }
    }
    from.clear();
    this.#otherSplits = from;
    this.splits = splits;
  }

  #rewrite(step: Rewriter, splits: Splits): void {
    const from = this.splits;
    const source = this.text;
    const target = this.#otherText;
    for (let index = 0; index < from.count; index++) {
      const id = from.id(index);
      if (id === NO_TOKEN) {
        step.rewrite(source, from.start(index), from.end(index), target, splits);
      } else {
        const start = target.length;
        target.append(source, from.start(index), from.end(index));
        splits.add(start, target.length, id);
      }
    }
    source.clear();
    this.#otherText = source;
    this.text = target;
  }
}

/** Ranges of a text, each with the id of its token or NO_TOKEN. */
export class Splits {
  #numbers = new Int32Array(WIDTH * MIN_ROOM);
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

  id(index: number): number {
    return this.#numbers[WIDTH * index + ID] ?? NO_TOKEN;
  }

  clear(): void {
    this.#count = 0;
    if (this.#numbers.length > WIDTH * MAX_ROOM_KEPT) this.#numbers = new Int32Array(WIDTH * MIN_ROOM);
  }

  /** Adds a range. An empty one is dropped, as in Rust. */
  add(start: number, end: number, id = NO_TOKEN): void {
    if (start >= end) return;
    const at = WIDTH * this.#count++;
    if (at === this.#numbers.length) this.#numbers = grown(this.#numbers, 2 * at);
    this.#numbers[at] = start;
    this.#numbers[at + END] = end;
    this.#numbers[at + ID] = id;
  }
}

/** The ids and offsets of the tokens found so far. */
export class TokenBuffer {
  #ids = new Int32Array(MIN_ROOM);
  /** Start and end of each token. */
  #offsets = new Int32Array(2 * MIN_ROOM);
  length = 0;

  clear(): void {
    this.length = 0;
    if (this.#ids.length <= MAX_ROOM_KEPT) return;
    this.#ids = new Int32Array(MIN_ROOM);
    this.#offsets = new Int32Array(2 * MIN_ROOM);
  }

  push(id: number, start: number, end: number): void {
    const index = this.length++;
    if (index === this.#ids.length) this.#grow();
    this.#ids[index] = id;
    this.#offsets[2 * index] = start;
    this.#offsets[2 * index + 1] = end;
  }

  /** Reverses the order of the tokens from index `first` on. */
  reverse(first: number): void {
    const ids = this.#ids;
    const offsets = this.#offsets;
    for (let low = first, high = this.length - 1; low < high; low++, high--) {
      swap(ids, low, high);
      swap(offsets, 2 * low, 2 * high);
      swap(offsets, 2 * low + 1, 2 * high + 1);
    }
  }

  /** A view of the ids; the next text overwrites it. */
  ids(): Int32Array {
    return this.#ids.subarray(0, this.length);
  }

  /** A view of the offsets, two for each id. */
  offsets(): Int32Array {
    return this.#offsets.subarray(0, 2 * this.length);
  }

  #grow(): void {
    this.#ids = grown(this.#ids, 2 * this.#ids.length);
    this.#offsets = grown(this.#offsets, 2 * this.#offsets.length);
  }
}

function swap(array: Int32Array, low: number, high: number): void {
  const kept = array[low] ?? 0;
  array[low] = array[high] ?? 0;
  array[high] = kept;
}
