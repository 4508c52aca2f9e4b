// Stop strings: OpenAI's API removes them from the text, so a stream holds back what may become one.

/** Passes on the text of one row up to the first stop string. */
export class StopText {
  readonly #stops: readonly string[];
  #held = "";

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** The text that is certain now, of all that was pushed so far. */
  push(text: string): string {
    this.#held += text;
    const end = this.#firstStop();
    if (end !== undefined) return this.#take(end);
    return this.#take(this.#held.length - this.#possibleStop());
  }

  /** The rest, once no further text follows. */
  end(): string {
    const rest = this.#take(this.#firstStop() ?? this.#held.length);
    this.#held = "";
    return rest;
  }

  #take(length: number): string {
    const taken = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return taken;
  }

  /** Where the first stop string begins. */
  #firstStop(): number | undefined {
    const found = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((index) => index !== -1);
    return found.length === 0 ? undefined : Math.min(...found);
  }

  /** The length of the longest end of the text that a stop string begins with. */
  #possibleStop(): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, this.#held.length); length > longest; length--) {
        if (stop.startsWith(this.#held.slice(-length))) longest = length;
      }
    }
    return longest;
  }
}
