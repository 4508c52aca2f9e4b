// SentencePiece's precompiled_charsmap, as Rust's spm_precompiled reads it: a double-array trie over bytes of UTF-8,
// whose values are positions in a block of zero-terminated replacement texts.
import { codePointsOf } from "./normalized-string.js";
import { corruptSetting } from "./tokenizer-json.js";
import { decodeStrictly, utf8Byte, utf8Size } from "./utf8.js";

const NO_VALUE = -1;
/** A character that has not been looked up yet. */
const UNKNOWN = -2;

const BMP_SIZE = 0x10000;
const UNIT_BYTES = 4;
/** The fields of a unit of the trie. */
const HAS_LEAF = 1 << 8;
const LABEL = 0x8000_00ff;
const VALUE = 0x7fff_ffff;

/** Whether bytes are the size of a trie, the trie, and texts of UTF-8. */
export function isCharsmap(bytes: Buffer): boolean {
  const trieBytes = bytes.length < UNIT_BYTES ? 0 : bytes.readUInt32LE(0);
  const trieEnd = UNIT_BYTES + trieBytes;
  if (trieBytes % UNIT_BYTES !== 0 || trieBytes === 0 || trieEnd > bytes.length) return false;
  return decodeStrictly(bytes.subarray(trieEnd)) !== undefined;
}

export class Charsmap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;
  /** Replacements as code points, by the value of the trie. */
  readonly #replacements = new Map<number, Int32Array>();
  /** The values of the characters of the Basic Multilingual Plane that have been looked up. */
  readonly #values = new Int32Array(BMP_SIZE).fill(UNKNOWN);

  /** Reads the base64 of tokenizer.json. Throws ERR_MODEL_CORRUPT. */
  constructor(base64: unknown, name: string) {
    if (typeof base64 !== "string") throw corruptSetting("base64", name, base64);
    const bytes = Buffer.from(base64, "base64");
    if (!isCharsmap(bytes)) throw corruptSetting("a trie and its texts", name, base64);
    const trieBytes = bytes.readUInt32LE(0);
    const trie = new DataView(bytes.buffer, bytes.byteOffset + UNIT_BYTES, trieBytes);
    this.#units = new Uint32Array(trieBytes / UNIT_BYTES);
    for (let unit = 0; unit < this.#units.length; unit++) this.#units[unit] = trie.getUint32(UNIT_BYTES * unit, true);
    this.#texts = bytes.subarray(UNIT_BYTES + trieBytes);
  }

  /** The replacement of one character, or undefined if it stays as it is. */
  character(code: number): Int32Array | undefined {
    if (code >= BMP_SIZE) return this.#replacement(this.#find([code], 0, 1));
    let value = this.#values[code] ?? UNKNOWN;
    if (value === UNKNOWN) {
      value = this.#find([code], 0, 1);
      this.#values[code] = value;
    }
    return value === NO_VALUE ? undefined : this.#replacement(value);
  }

  /** The replacement of a grapheme cluster: that of its shortest prefix in the trie, as in Rust. */
  cluster(codes: ArrayLike<number>, from: number, to: number): Int32Array | undefined {
    return this.#replacement(this.#find(codes, from, to));
  }

  #replacement(value: number): Int32Array | undefined {
    if (value === NO_VALUE) return undefined;
    const cached = this.#replacements.get(value);
    if (cached !== undefined) return cached;
    const end = this.#texts.indexOf(0, value);
    const text = decodeStrictly(this.#texts.subarray(value, end < 0 ? undefined : end)) ?? "";
    const replacement = codePointsOf(text);
    this.#replacements.set(value, replacement);
    return replacement;
  }

  /** The value of the first leaf on the path of these characters' bytes, or NO_VALUE. */
  #find(codes: ArrayLike<number>, from: number, to: number): number {
    const units = this.#units;
    let node = offsetOf(units[0] ?? 0);
    for (let index = from; index < to; index++) {
      const code = codes[index] ?? 0;
      const size = utf8Size(code);
      for (let part = 0; part < size; part++) {
        const byte = utf8Byte(code, size, part);
        if (byte === 0) return NO_VALUE;
        node ^= byte;
        const unit = units[node] ?? 0;
        if ((unit & LABEL) >>> 0 !== byte) return NO_VALUE;
        node ^= offsetOf(unit);
        if ((unit & HAS_LEAF) !== 0) return (units[node] ?? 0) & VALUE;
      }
    }
    return NO_VALUE;
  }
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
}
