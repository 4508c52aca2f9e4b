// Text that grows id by id: pieces that join to what the ids decode to, none of which ends within a character.
import type { T5Tokenizer } from "./tokenizer.js";

/** As many ids as are decoded again for each new one, at most; then only the last KEPT_IDS are. */
const MOST_IDS = 64;
const KEPT_IDS = 32;
/** Ids of so much text, and the ids behind them, decode to the end of what all ids decode to. */
const ENOUGH_TEXT = 16;

/** What UTF-8 that isn't complete yet is decoded to. */
const REPLACEMENT = "\ufffd";
const HIGH_SURROGATE = /[\ud800-\udbff]$/;

/** A decoder of one sequence, special tokens left out. */
export class TextStream {
  readonly #tokenizer: T5Tokenizer;
  /** The last ids, those left out that have no text whatever follows. */
  #ids: number[] = [];
  /** What was returned of their text. */
  #sent = "";

  constructor(tokenizer: T5Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that is certain once `ids` follow, and wasn't before. */
  push(ids: Iterable<number>): string {
    for (const id of ids) if (!this.#tokenizer.isSilent(id)) this.#ids.push(id);
    const last = this.#ids.at(-1);
    if (last === undefined || this.#tokenizer.isOpen(last)) return "";
    const text = this.#text(this.#ids);
    const piece = this.#certain(text).slice(this.#sent.length);
    this.#sent += piece;
    this.#shorten(text);
    return piece;
  }

  /** The rest. */
  end(): string {
    return this.#text(this.#ids).slice(this.#sent.length);
  }

  #text(ids: readonly number[]): string {
    return this.#tokenizer.decode(ids, { skipSpecialTokens: true });
  }

  /** The beginning of `text` that no further id changes, or what was sent where that isn't a beginning any more. */
  #certain(text: string): string {
    let length = Math.max(0, text.length - this.#tokenizer.changingTail);
    while (length > 0 && text[length - 1] === REPLACEMENT) length--;
    if (HIGH_SURROGATE.test(text.slice(0, length))) length--;
    const certain = text.slice(0, length);
    return certain.startsWith(this.#sent) ? certain : this.#sent;
  }

  /** Forgets the first ids, so that a long text isn't decoded anew for each id. */
  #shorten(text: string): void {
    if (this.#ids.length <= MOST_IDS) return;
    const ids = this.#ids.slice(-KEPT_IDS);
    const tail = this.#text(ids);
    const dropped = text.length - tail.length;
    if (tail.length < ENOUGH_TEXT || this.#sent.length < dropped || !text.endsWith(tail)) return;
    this.#ids = ids;
    this.#sent = this.#sent.slice(dropped);
  }
}
