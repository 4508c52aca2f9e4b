// Text that grows id by id, decoded anew with each one, but only its last ids: what they decode to depends on no others.
import type { TextStream } from "./codec.js";

/** As many ids as are kept at least, and as much text as they decode to. */
const FEWEST_IDS = 32;
const LEAST_TEXT = 16;

/** How ids become text. */
export interface Decoding {
  /** Whether what a text begins with stays as it is when further ids follow. */
  readonly isStable: boolean;
  /** Whether the text of an id depends on the one behind it: a byte of a character, say. */
  isOpen(id: number): boolean;
  /** Whether an id adds nothing, whatever stands beside it. */
  isSilent(id: number): boolean;
  decode(ids: readonly number[]): string;
}

export class WindowStream implements TextStream {
  readonly #decoding: Decoding;
  #ids: number[] = [];
  /** What was returned of their text. */
  #sent = "";
  /** How many ids there may be before the first ones are forgotten. */
  #most = 2 * FEWEST_IDS;

  constructor(decoding: Decoding) {
    this.#decoding = decoding;
  }

  push(id: number): string {
    if (this.#decoding.isSilent(id)) return "";
    this.#ids.push(id);
    if (!this.#decoding.isStable || this.#decoding.isOpen(id)) return "";
    const text = this.#decoding.decode(this.#ids);
    const piece = text.slice(this.#sent.length);
    this.#sent = text;
    if (this.#ids.length > this.#most) this.#shorten(text);
    return piece;
  }

  end(): string {
    return this.#decoding.decode(this.#ids).slice(this.#sent.length);
  }

  /** Forgets the first ids, so that a long text isn't decoded anew for each one. */
  #shorten(text: string): void {
    for (let count = FEWEST_IDS; 2 * count <= this.#ids.length; count *= 2) {
      const ids = this.#ids.slice(-count);
      const tail = this.#decoding.decode(ids);
      if (tail.length < LEAST_TEXT || !text.endsWith(tail)) continue;
      this.#ids = ids;
      this.#sent = tail;
      this.#most = 2 * count;
      return;
    }
    this.#most = 2 * this.#ids.length;
  }
}
