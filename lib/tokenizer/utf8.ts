// UTF-8, byte by byte.

/** What `sequenceSize` returns for bytes that begin no character. */
export const INVALID = 0;
/** What `sequenceSize` returns for a character whose last bytes are missing. */
export const INCOMPLETE = -1;

const MAX_SIZE = 4;
/** The range of a character's second byte, by its first byte, where it is smaller than that of other bytes. */
const SECOND_BYTE = new Map<number, readonly [min: number, max: number]>([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);
const CONTINUATION_BYTE = [0x80, 0xbf] as const;

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The number of bytes that a code point has in UTF-8. */
export function utf8Size(code: number): number {
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

/** The byte at index `part` of a code point that has `size` bytes. */
export function utf8Byte(code: number, size: number, part: number): number {
  if (size === 1) return code;
  const rest = code >>> (6 * (size - 1 - part));
  return part === 0 ? ((0xf00 >>> size) & 0xff) | rest : 0x80 | (rest & 0x3f);
}

/** The text of bytes, or undefined if they are not valid UTF-8. */
export function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** As `decodeStrictly` of a part of a buffer, and many times faster for short texts. */
export function decodePart(bytes: Buffer, from: number, to: number): string | undefined {
  for (let index = from; index < to; ) {
    const size = sequenceSize(bytes, index);
    if (size <= 0 || index + size > to) return undefined;
    index += size;
  }
  return bytes.toString("utf8", from, to);
}

/** The text of bytes without those that are not valid UTF-8: Python's `errors="ignore"`. */
export function decodeValid(bytes: Uint8Array): string {
  const valid = new Uint8Array(bytes.length);
  let length = 0;
  for (let index = 0; index < bytes.length; ) {
    const size = Math.max(0, sequenceSize(bytes, index));
    for (let part = 0; part < size; part++) valid[length++] = bytes[index + part] ?? 0;
    // An invalid byte is skipped alone: the continuation bytes after it are invalid in their turn.
    index += Math.max(1, size);
  }
  return lenient.decode(valid.subarray(0, length));
}

/** The number of bytes of the character that begins at an index, or INVALID or INCOMPLETE. */
export function sequenceSize(bytes: ArrayLike<number>, index: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return INVALID;
  const size = first < 0xe0 ? 2 : first < 0xf0 ? MAX_SIZE - 1 : MAX_SIZE;
  for (let part = 1; part < size; part++) {
    const byte = bytes[index + part];
    if (byte === undefined) return INCOMPLETE;
    const [min, max] = (part === 1 ? SECOND_BYTE.get(first) : undefined) ?? CONTINUATION_BYTE;
    if (byte < min || byte > max) return INVALID;
  }
  return size;
}
