// The binary tensor data extension: JSON, whose length a header states, followed by the bytes of tensors.
import { expected } from "../../errors/server-error.js";

/** The header with the length of the JSON. */
export const HEADER_LENGTH = "inference-header-content-length";

/** A body in two parts. */
export interface SplitBody {
  readonly json: Buffer;
  readonly tail: Buffer;
}

/** Splits a body at the length that its header states. Throws ERR_INVALID_ARGUMENT. */
export function splitBody(body: Buffer, header: string | string[] | undefined): SplitBody {
  if (header === undefined) return { json: body, tail: Buffer.alloc(0) };
  const length = typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : -1;
  if (length < 0 || length > body.length) {
    throw expected(`at most ${body.length}, the length of the body,`, "Inference-Header-Content-Length", header);
  }
  return { json: body.subarray(0, length), tail: body.subarray(length) };
}

/** Takes the bytes of tensors from the end of a body, one after the other. */
export class TailReader {
  readonly #tail: Buffer;
  #offset = 0;

  constructor(tail: Buffer) {
    this.#tail = tail;
  }

  /** The next bytes. Throws ERR_INVALID_ARGUMENT if there are fewer. */
  take(size: unknown, name: string): Buffer {
    const left = this.#tail.length - this.#offset;
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0 || size > left) {
      throw expected(`at most ${left}, the bytes that follow,`, `binary_data_size of ${name}`, size);
    }
    this.#offset += size;
    return this.#tail.subarray(this.#offset - size, this.#offset);
  }

  /** Throws ERR_INVALID_ARGUMENT unless all bytes were taken. */
  checkEnd(): void {
    if (this.#offset === this.#tail.length) return;
    const name = "the end of the body";
    throw expected("the binary data of the inputs alone", name, `${this.#tail.length - this.#offset} further bytes`);
  }
}
