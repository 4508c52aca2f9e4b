// Text decoded id by id: the public stream, and the two streams that do its work.
import { checkInteger, expected } from "../util/validation.js";

/** Text that grows id by id. Joined, its pieces are the text of all ids. None ends within a character. */
export interface TextStream {
  /** The text that becomes final with this id. */
  push(id: number): string;
  /** The rest of the text. */
  end(): string;
}

/** Decodes ids as they come. `tokenizer.decodeStream()` makes one. */
export class DecodeStream {
  readonly #stream: TextStream;

  /** @internal */
  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  /** The text that becomes final with these ids, one or several; empty if none does. Throws ERR_INVALID_ARGUMENT. */
  push(ids: number | bigint | Iterable<number | bigint>): string {
    if (typeof ids === "number" || typeof ids === "bigint") return this.#push(ids, "ids");
    if (!isIterable(ids)) throw expected("an id or ids", "ids", ids);
    let text = "";
    for (const id of ids) text += this.#push(id, "an id");
    return text;
  }

  /** The rest of the text, after the last id. */
  end(): string {
    return this.#stream.end();
  }

  #push(id: number | bigint, name: string): string {
    return this.#stream.push(checkInteger(typeof id === "bigint" ? Number(id) : id, name, 0));
  }
}

/** How `WindowStream` decodes ids. */
interface WindowDecoder {
  /** Whether further ids leave the text of the ids before them as it is, except at its end. */
  readonly isStable: boolean;
  /** Whether an id is a byte, which may be a part of a character. */
  isByte(id: number): boolean;
  /** Whether an id adds nothing to the text. */
  isSkipped(id: number): boolean;
  decode(ids: readonly number[]): string;
}

/** The window holds at least this many ids, and at least so many UTF-16 units of text. */
const MIN_WINDOW_IDS = 8;
const MIN_WINDOW_UNITS = 16;

/** Decodes a window of the last ids again with each new one: the text of an id depends on no ids before the window. */
export class WindowStream implements TextStream {
  readonly #decoder: WindowDecoder;
  #ids: number[] = [];
  /** The part of the window's text that was returned. */
  #sent = "";
  /** The window is shortened when it has more ids than this. */
  #maxIds = 2 * MIN_WINDOW_IDS;

  constructor(decoder: WindowDecoder) {
    this.#decoder = decoder;
  }

  push(id: number): string {
    if (this.#decoder.isSkipped(id)) return "";
    this.#ids.push(id);
    if (!this.#decoder.isStable || this.#decoder.isByte(id)) return "";
    const text = this.#decoder.decode(this.#ids);
    const piece = text.slice(this.#sent.length);
    this.#sent = text;
    if (this.#ids.length > this.#maxIds) this.#shorten(text);
    return piece;
  }

  end(): string {
    return this.#decoder.decode(this.#ids).slice(this.#sent.length);
  }

  /** Removes the first ids from the window, so that a long text takes linear time. */
  #shorten(text: string): void {
    for (let count = MIN_WINDOW_IDS; 2 * count <= this.#ids.length; count *= 2) {
      const ids = this.#ids.slice(-count);
      const tail = this.#decoder.decode(ids);
      if (tail.length < MIN_WINDOW_UNITS || !text.endsWith(tail)) continue;
      this.#ids = ids;
      this.#sent = tail;
      this.#maxIds = 2 * count;
      return;
    }
    this.#maxIds = 2 * this.#ids.length;
  }
}

/** The replacements of `clean_up_tokenization`, in order. */
const CLEAN_UP: readonly (readonly [from: string, to: string])[] = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];

/** The characters of the patterns. Text on either side of any other character is cleaned up independently. */
const PATTERN_CHARACTERS = new Set(" .?!,'ntmsver");
/** Characters after which a match may continue across a space, or across one that an earlier replacement removed. */
const BEFORE_SPACE = new Set(" 'n");
/** Later text changes no more of the end: a match has up to 4 units, and earlier matches may have removed 2 spaces. */
const MAX_CHANGING_UNITS = 8;
const HIGH_SURROGATE_AT_END = /[\ud800-\udbff]$/;

/** Removes spaces before punctuation: Hugging Face's `clean_up_tokenization`. */
export function cleanUpTokenization(text: string): string {
  return CLEAN_UP.reduce((cleaned, [from, to]) => cleaned.replaceAll(from, to), text);
}

/** Cleans up the text of another stream. */
export class CleanUpStream implements TextStream {
  readonly #stream: TextStream;
  /** The end of the other stream's text, which later text may change. */
  #text = "";
  /** The part of its cleaned form that was returned. */
  #sent = "";

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  push(id: number): string {
    const added = this.#stream.push(id);
    if (added === "") return "";
    this.#text += added;
    const final = this.#takeIndependent();
    const cleaned = cleanUpTokenization(this.#text);
    let length = Math.max(this.#sent.length, cleaned.length - MAX_CHANGING_UNITS);
    if (HIGH_SURROGATE_AT_END.test(cleaned.slice(0, length))) length--;
    const piece = cleaned.slice(this.#sent.length, length);
    this.#sent += piece;
    return final + piece;
  }

  end(): string {
    return cleanUpTokenization(this.#text + this.#stream.end()).slice(this.#sent.length);
  }

  /** Removes the text up to the last position that no match can cross. Returns the unsent end of its cleaned form. */
  #takeIndependent(): string {
    let end = this.#text.length;
    while (end > 0 && !isBoundary(this.#text, end)) end--;
    if (end === 0) return "";
    const piece = cleanUpTokenization(this.#text.slice(0, end)).slice(this.#sent.length);
    this.#text = this.#text.slice(end);
    this.#sent = "";
    return piece;
  }
}

/** Whether no match can contain characters on both sides of `position`. */
function isBoundary(text: string, position: number): boolean {
  const before = text[position - 1] ?? "";
  return !PATTERN_CHARACTERS.has(before) || (text[position] === " " && !BEFORE_SPACE.has(before));
}

function isIterable(value: unknown): value is Iterable<number | bigint> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}
