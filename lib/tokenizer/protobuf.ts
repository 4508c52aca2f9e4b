// Reads the wire format of Protocol Buffers, strictly: https://protobuf.dev/programming-guides/encoding. Nothing is
// read beyond the end of a message, and nothing recurses, so the work is linear in the number of bytes.
import type { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";

/** The wire types. Groups, which are obsolete, have 3 and 4; 6 and 7 mean nothing. */
export const VARINT = 0;
export const FIXED_64 = 1;
export const LENGTH_DELIMITED = 2;
export const FIXED_32 = 5;

const MAX_VARINT_BYTES = 10;
/** The part of the tenth byte that fits into 64 bits. */
const MAX_TENTH_BYTE = 1;
const MORE = 0x80;
const PAYLOAD = 0x7f;
const PAYLOAD_BITS = 7;
const WIRE_TYPE_BITS = 3;
const WIRE_TYPE = (1 << WIRE_TYPE_BITS) - 1;
const MAX_FIELD = 2 ** 29 - 1;

/** Where a message begins and ends in a file. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Goes through the fields of a message, in order. Its methods throw ERR_MODEL_CORRUPT, with the position. */
export class MessageReader {
  /** The number of the field that `next` found. */
  field = 0;
  /** Its wire type. */
  wireType = VARINT;
  readonly #bytes: Buffer;
  readonly #name: string;
  #position = 0;
  #end = 0;

  /** `name` names the file in errors. */
  constructor(bytes: Buffer, name: string) {
    this.#bytes = bytes;
    this.#name = name;
  }

  /** Goes to the beginning of a message. */
  enter({ start, end }: Span): void {
    this.#position = start;
    this.#end = end;
  }

  /** Reads the tag of the next field. False at the end of the message. The field's value has to be read next. */
  next(): boolean {
    const at = this.#position;
    if (at === this.#end) return false;
    const tag = this.varint();
    this.field = Math.floor(tag / 2 ** WIRE_TYPE_BITS);
    this.wireType = tag & WIRE_TYPE;
    if (this.field < 1 || this.field > MAX_FIELD)
      throw this.#error(`a field number from 1 to ${MAX_FIELD}`, at, this.field);
    return true;
  }

  /** Throws unless the field has a wire type. */
  expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw this.#error(`wire type ${wireType} of field ${this.field}`, this.#position, this.wireType);
    }
  }

  /** A number without a sign. A large one is rounded to a double. */
  varint(): number {
    const bytes = this.#bytes;
    const start = this.#position;
    const limit = Math.min(this.#end, start + MAX_VARINT_BYTES);
    let value = 0;
    let scale = 1;
    for (let at = start; at < limit; at++) {
      const byte = bytes[at] ?? 0;
      value += (byte & PAYLOAD) * scale;
      scale *= 2 ** PAYLOAD_BITS;
      if (byte >= MORE) continue;
      if (at - start === MAX_VARINT_BYTES - 1 && byte > MAX_TENTH_BYTE) break;
      this.#position = at + 1;
      return value;
    }
    throw this.#error(`a number of at most ${MAX_VARINT_BYTES} bytes that ends within its message`, start);
  }

  /** A number of 4 bytes: a float. */
  float(): number {
    return this.#bytes.readFloatLE(this.#take(4));
  }

  /** The span of a field with a length: bytes, text, or a message. */
  span(): Span {
    const length = this.varint();
    const start = this.#take(length);
    return { start, end: start + length };
  }

  /** Skips the value of a field of any type. */
  skip(): void {
    if (this.wireType === VARINT) this.varint();
    else if (this.wireType === FIXED_64) this.#take(8);
    else if (this.wireType === LENGTH_DELIMITED) this.span();
    else if (this.wireType === FIXED_32) this.#take(4);
    else throw this.#error(`a wire type that is not a group, of field ${this.field},`, this.#position, this.wireType);
  }

  /** Skips bytes, and returns where they begin. */
  #take(length: number): number {
    const at = this.#position;
    if (length > this.#end - at)
      throw this.#error(`at most the ${this.#end - at} bytes that its message still has`, at, length);
    this.#position = at + length;
    return at;
  }

  #error(what: string, at: number, received: unknown = this.#bytes[at]): T5Error {
    return corrupt(what, `byte ${at} of ${this.#name}`, received);
  }
}
