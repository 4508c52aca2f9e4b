// The public decoder of ids that come one by one.
import { checkInteger, expected } from "../util/validation.js";
import type { TextStream } from "./codec.js";

/** Text that grows id by id. `tokenizer.decodeStream()` makes one. */
export class DecodeStream {
  readonly #stream: TextStream;

  /** @internal */
  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  /** The text that is certain with these ids, one or several, and wasn't before. Throws ERR_INVALID_ARGUMENT. */
  push(ids: number | bigint | Iterable<number | bigint>): string {
    if (typeof ids === "number" || typeof ids === "bigint") return this.#push(ids, "ids");
    if (!isIterable(ids)) throw expected("an id or ids", "ids", ids);
    let text = "";
    for (const id of ids) text += this.#push(id, "an id");
    return text;
  }

  /** The rest of the text. */
  end(): string {
    return this.#stream.end();
  }

  #push(id: number | bigint, name: string): string {
    return this.#stream.push(checkInteger(typeof id === "bigint" ? Number(id) : id, name, 0));
  }
}

function isIterable(value: unknown): value is Iterable<number | bigint> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}
