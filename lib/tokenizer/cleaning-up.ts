// `clean_up_tokenization_spaces`, as Hugging Face's clean_up_tokenization does it: one pattern after the other.
import type { TextStream } from "./codec.js";

const PATTERNS: readonly (readonly [from: string, to: string])[] = [
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

/** What patterns are of. What is before any other character is cleaned up without what is behind it. */
const IN_PATTERNS = new Set(" .?!,'ntmsver");
/** What may be in one pattern with a space behind it, once that space or the one behind it is taken away. */
const BEFORE_SPACE = new Set(" 'n");

/** Cleaning up looks at no more than " n't", and at two spaces more where it has made two patterns of one. */
const CHANGING_TAIL = 8;
const HIGH_SURROGATE = /[\ud800-\udbff]$/;

export function cleanUp(text: string): string {
  return PATTERNS.reduce((cleaned, [from, to]) => cleaned.replaceAll(from, to), text);
}

/** Cleans up the text of another stream. */
export class CleaningStream implements TextStream {
  readonly #stream: TextStream;
  /** The end of the text, as the other stream has it, and what was returned for it. */
  #text = "";
  #sent = "";

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  push(id: number): string {
    const added = this.#stream.push(id);
    if (added === "") return "";
    this.#text += added;
    const done = this.#takeDone();
    const cleaned = cleanUp(this.#text);
    let length = Math.max(this.#sent.length, cleaned.length - CHANGING_TAIL);
    if (HIGH_SURROGATE.test(cleaned.slice(0, length))) length--;
    const piece = cleaned.slice(this.#sent.length, length);
    this.#sent += piece;
    return done + piece;
  }

  end(): string {
    return cleanUp(this.#text + this.#stream.end()).slice(this.#sent.length);
  }

  /** Returns what is certain because no pattern goes over its end, and forgets it. */
  #takeDone(): string {
    let end = this.#text.length;
    while (end > 0 && !isApart(this.#text, end)) end--;
    if (end === 0) return "";
    const piece = cleanUp(this.#text.slice(0, end)).slice(this.#sent.length);
    this.#text = this.#text.slice(end);
    this.#sent = "";
    return piece;
  }
}

/** Whether what is before `end` and what is behind it are cleaned up apart. */
function isApart(text: string, end: number): boolean {
  const before = text[end - 1] ?? "";
  return !IN_PATTERNS.has(before) || (text[end] === " " && !BEFORE_SPACE.has(before));
}
