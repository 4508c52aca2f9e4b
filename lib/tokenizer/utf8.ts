// Characters as bytes of UTF-8.

/** How many bytes a character has in UTF-8. */
export function bytesOf(code: number): number {
  if (code < 0x80) return 1;
  if (code < 0x800) return 2;
  return code < 0x10000 ? 3 : 4;
}

/** One of these bytes. */
export function byteOf(code: number, size: number, part: number): number {
  if (size === 1) return code;
  const rest = code >>> (6 * (size - 1 - part));
  return part === 0 ? ((0xf00 >>> size) & 0xff) | rest : 0x80 | (rest & 0x3f);
}

const LONGEST = 4;
/** The second byte of a character, where not all of 0x80 to 0xbf may be one: by the first byte. */
const SECOND = new Map<number, readonly [least: number, most: number]>([
  [0xe0, [0xa0, 0xbf]],
  [0xed, [0x80, 0x9f]],
  [0xf0, [0x90, 0xbf]],
  [0xf4, [0x80, 0x8f]],
]);
const ANY_FURTHER = [0x80, 0xbf] as const;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text of bytes, those left out that are no UTF-8: Python's `errors="ignore"`. */
export function decodeValid(bytes: Uint8Array): string {
  const valid = new Uint8Array(bytes.length);
  let length = 0;
  for (let index = 0; index < bytes.length; ) {
    const size = Math.max(0, sizeAt(bytes, index));
    for (let part = 0; part < size; part++) valid[length++] = bytes[index + part] ?? 0;
    // Bytes that begin no character are none of another one either, so that one alone is passed over.
    index += Math.max(1, size);
  }
  return decoder.decode(valid.subarray(0, length));
}

export const INVALID = 0;
export const INCOMPLETE = -1;

/** How many bytes the character at a position has, INVALID where there is none, INCOMPLETE where bytes are missing. */
export function sizeAt(bytes: ArrayLike<number>, index: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return INVALID;
  const size = first < 0xe0 ? 2 : first < 0xf0 ? LONGEST - 1 : LONGEST;
  for (let part = 1; part < size; part++) {
    const byte = bytes[index + part];
    if (byte === undefined) return INCOMPLETE;
    const [least, most] = (part === 1 ? SECOND.get(first) : undefined) ?? ANY_FURTHER;
    if (byte < least || byte > most) return INVALID;
  }
  return size;
}
