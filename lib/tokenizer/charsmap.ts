// SentencePiece's precompiled_charsmap: a double-array trie over bytes of UTF-8, and the texts that its values point to.
import { codesOf } from "./aligned-text.js";
import { corrupt } from "./settings.js";
import { byteOf, bytesOf } from "./utf8.js";

/** What a character becomes whose lookups aren't made yet. */
const UNKNOWN = -2;
const NONE = -1;

const BMP = 0x10000;
const HAS_LEAF = 1 << 8;
const LABEL = 0x8000_00ff;
const VALUE = 0x7fff_ffff;
const UNIT_BYTES = 4;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class Charsmap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;
  /** Where in #texts the text of a value begins is where the trie says; each is made an array once. */
  readonly #replacements = new Map<number, Int32Array>();
  readonly #characters = new Int32Array(BMP).fill(UNKNOWN);

  /** Reads the base64 of tokenizer.json. Throws ERR_MODEL_CORRUPT. */
  constructor(base64: unknown, name: string) {
    if (typeof base64 !== "string") throw corrupt("base64", name, base64);
    const bytes = Buffer.from(base64, "base64");
    const trieBytes = bytes.length < UNIT_BYTES ? bytes.length : bytes.readUInt32LE(0);
    const trieEnd = UNIT_BYTES + trieBytes;
    if (trieBytes % UNIT_BYTES !== 0 || trieBytes === 0 || trieEnd > bytes.length) {
      throw corrupt("a trie and its texts", name, base64);
    }
    const trie = new DataView(bytes.buffer, bytes.byteOffset + UNIT_BYTES, trieBytes);
    this.#units = new Uint32Array(trieBytes / UNIT_BYTES);
    for (let unit = 0; unit < this.#units.length; unit++) this.#units[unit] = trie.getUint32(UNIT_BYTES * unit, true);
    this.#texts = bytes.subarray(trieEnd);
    if (decode(this.#texts) === undefined) throw corrupt("texts of UTF-8", name, base64);
  }

  /** What one character becomes, or undefined where it stays. */
  character(code: number): Int32Array | undefined {
    if (code >= BMP) return this.#replacement(this.#search([code], 0, 1));
    let value = this.#characters[code] ?? UNKNOWN;
    if (value === UNKNOWN) {
      value = this.#search([code], 0, 1);
      this.#characters[code] = value;
    }
    return value === NONE ? undefined : this.#replacement(value);
  }

  /** What a whole cluster becomes: the shortest beginning of it that the trie holds decides, as in Rust. */
  cluster(codes: ArrayLike<number>, from: number, to: number): Int32Array | undefined {
    return this.#replacement(this.#search(codes, from, to));
  }

  #replacement(value: number): Int32Array | undefined {
    if (value === NONE) return undefined;
    const known = this.#replacements.get(value);
    if (known !== undefined) return known;
    const end = this.#texts.indexOf(0, value);
    const made = codesOf(decode(this.#texts.subarray(value, end < 0 ? undefined : end)) ?? "");
    this.#replacements.set(value, made);
    return made;
  }

  /** The value at the first leaf on the way through the bytes of these characters. */
  #search(codes: ArrayLike<number>, from: number, to: number): number {
    const units = this.#units;
    let node = offsetOf(units[0] ?? 0);
    for (let index = from; index < to; index++) {
      const code = codes[index] ?? 0;
      const size = bytesOf(code);
      for (let part = 0; part < size; part++) {
        const byte = byteOf(code, size, part);
        if (byte === 0) return NONE;
        node ^= byte;
        const unit = units[node] ?? 0;
        if ((unit & LABEL) >>> 0 !== byte) return NONE;
        node ^= offsetOf(unit);
        if ((unit & HAS_LEAF) !== 0) return (units[node] ?? 0) & VALUE;
      }
    }
    return NONE;
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}
