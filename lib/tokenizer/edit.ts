// Changes to a text as Rust's `NormalizedString::transform` makes them, which decides the offsets of what is changed.
import type { AlignedText } from "./aligned-text.js";

/** Writes the changed form of a part of a text, from its beginning to its end. */
export class Edit {
  #source: AlignedText;
  #target: AlignedText;
  #begin: number;
  #end: number;
  /** The character of the source that the next one written stands for. */
  #next: number;
  readonly #base: number;
  #wasInserted = false;

  constructor(source: AlignedText, from: number, to: number, target: AlignedText) {
    this.#source = source;
    this.#target = target;
    this.#begin = from;
    this.#end = to;
    this.#next = from;
    this.#base = target.length;
  }

  /** Writes what stands for the next character, and for `removed` characters behind it. */
  replace(code: number, removed = 0): void {
    const index = this.#next;
    this.#target.push(code, this.#source.starts[index] ?? 0, this.#source.ends[index] ?? 0);
    this.#next = Math.min(this.#end, index + 1 + removed);
    this.#wasInserted = false;
  }

  /** Writes a character more, which stands for what the one before it stands for. */
  insert(code: number): void {
    const index = this.#next - 1;
    const { starts, ends } = this.#source;
    if (index < this.#begin) {
      const start = starts[this.#begin] ?? 0;
      this.#target.push(code, start, start);
    } else {
      this.#target.push(code, starts[index] ?? 0, ends[index] ?? 0);
    }
    this.#wasInserted = true;
  }

  /** Passes over the next characters, also where nothing is written yet. */
  skip(count: number): void {
    this.#next = Math.min(this.#end, this.#next + count);
  }

  /**
   * The last character written takes the place of the next ones, too. Where nothing is written yet they aren't passed
   * over: what follows is then taken to stand for them, as in Rust.
   */
  absorb(count: number): void {
    const target = this.#target;
    if (target.length === this.#base) return;
    if (this.#wasInserted) {
      target.starts[target.length - 1] = this.#source.starts[this.#next] ?? 0;
      target.ends[target.length - 1] = this.#source.ends[this.#next] ?? 0;
      this.#wasInserted = false;
    }
    this.skip(count);
  }
}
