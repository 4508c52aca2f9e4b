// A text on its way to tokens: the splits that the steps before the model divide it into, and the tokens found.
import { SLICED_UNITS, type Sliced } from "../util/slices.js";
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

/** Finds the tokens of the splits of a text, in order, and adds them to `tokens`. Rust's `Model`. */
export interface Model {
  tokenize(text: NormalizedString, splits: Splits, tokens: TokenBuffer): Sliced<void>;
}

/** A step that divides the splits `from` of a text into `to`, and leaves the characters as they are. */
export interface Splitter {
  readonly kind: "split";
  split(text: NormalizedString, from: Splits, to: Splits): Sliced<void>;
}

/** A step that writes a new form of the splits `from` of `source` to `target`, and its splits to `to`. */
export interface Rewriter {
  readonly kind: "rewrite";
  rewrite(source: NormalizedString, from: Splits, target: NormalizedString, to: Splits): Sliced<void>;
}

/** A step before the model: added tokens, normalizer or pre-tokenizer. */
export type Step = Splitter | Rewriter;

/** The buffers that one text needs. */
interface Buffers {
  readonly string: PreTokenizedString;
  readonly tokens: TokenBuffer;
}

/** Makes the function from a text to its tokens. The next call overwrites the arrays that it returns. */
export function makeEncoder(steps: readonly Step[], model: Model): (text: string) => Sliced<Tokens> {
  /** The buffers for the next text: undefined while the work on another one is interrupted, or after a failure. */
  let idle: Buffers | undefined;
  return function* encode(text) {
    const buffers = idle ?? { string: new PreTokenizedString(), tokens: new TokenBuffer() };
    idle = undefined;
    const { string, tokens } = buffers;
    tokens.clear();
    for (let unit = 0; unit < text.length; ) {
      if (unit > 0) yield;
      unit = string.text.read(text, unit, SLICED_UNITS);
    }
    string.splits.add(0, string.text.length);
    for (const step of steps) {
      if (step.kind === "split") {
        yield* step.split(string.text, string.splits, string.nextSplits);
        string.endSplitting();
      } else {
        // A step may add a character to each split.
        string.nextText.reserve(string.text.length + string.splits.count);
        yield* step.rewrite(string.text, string.splits, string.nextText, string.nextSplits);
        string.endRewriting();
      }
    }
    yield* model.tokenize(string.text, string.splits, tokens);
    string.clear();
    idle = buffers;
    return { ids: tokens.ids(), offsets: tokens.offsets() };
  };
}

/** Rust's `PreTokenizedString`: a text and its splits, and those that the next step makes of them. */
class PreTokenizedString {
  text = new NormalizedString();
  splits = new Splits();
  nextText = new NormalizedString();
  nextSplits = new Splits();

  clear(): void {
    this.text.clear();
    this.splits.clear();
    this.nextText.clear();
    this.nextSplits.clear();
  }

  /** After a step: the next splits are those of the text. */
  endSplitting(): void {
    const { splits } = this;
    splits.clear();
    this.splits = this.nextSplits;
    this.nextSplits = splits;
  }

  /** After a step: the next text and splits take the place of these. */
  endRewriting(): void {
    const { text } = this;
    text.length = 0;
    this.text = this.nextText;
    this.nextText = text;
    this.endSplitting();
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

  /** The id of a split that is a token, else NO_TOKEN. */
  id(index: number): number {
    return this.#numbers[WIDTH * index + ID] ?? NO_TOKEN;
  }

  /** Adds a split of the same text if it is a token. Returns whether it is one. */
  keepToken(from: Splits, index: number): boolean {
    const id = from.id(index);
    if (id === NO_TOKEN) return false;
    this.add(from.start(index), from.end(index), id);
    return true;
  }

  /** Adds a split of `source` if it is a token, and its characters to `target`. Returns whether it is one. */
  moveToken(source: NormalizedString, from: Splits, index: number, target: NormalizedString): boolean {
    const id = from.id(index);
    if (id === NO_TOKEN) return false;
    const start = target.length;
    target.append(source, from.start(index), from.end(index));
    this.add(start, target.length, id);
    return true;
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

  /** Adds a split of a text if it is a token. Returns whether it is one. */
  addSplit({ starts, ends }: NormalizedString, splits: Splits, index: number): boolean {
    const id = splits.id(index);
    if (id === NO_TOKEN) return false;
    this.push(id, starts[splits.start(index)] ?? 0, ends[splits.end(index) - 1] ?? 0);
    return true;
  }

  /** Exchanges up to `count` tokens from `low` upward with those from `high` downward, until they meet. */
  exchange(low: number, high: number, count: number): void {
    const ids = this.#ids;
    const offsets = this.#offsets;
    for (let left = low, right = high; left < right && left < low + count; left++, right--) {
      swap(ids, left, right);
      swap(offsets, 2 * left, 2 * right);
      swap(offsets, 2 * left + 1, 2 * right + 1);
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
