// ByT5's tokenization: each byte of UTF-8 is an id, behind three special ones. As Hugging Face's ByT5Tokenizer has it.
import type { Codec } from "./codec.js";

const SPECIAL_TOKENS = ["<pad>", "</s>", "<unk>"];
const PAD = 0;
const EOS = 1;
const OFFSET = SPECIAL_TOKENS.length;
const BYTES = 256;
const EXTRA_IDS = 125;

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const extraTokens = Array.from({ length: EXTRA_IDS }, (_, index) => `<extra_id_${index}>`);
const tokenOfSpecialId = new Map([
  ...SPECIAL_TOKENS.map((token, id) => [id, token] as const),
  ...extraTokens.map((token, index) => [OFFSET + BYTES + index, token] as const),
]);
const specialIdOfToken = new Map([...tokenOfSpecialId].map(([id, token]) => [token, id] as const));
// The first three take the white space beside them along.
const specialPattern = /(\s*(?:<pad>|<\/s>|<unk>)\s*|<extra_id_\d+>)/;

/** Bytes as ids. */
export const byteCodec: Codec = {
  padTokenId: PAD,
  eosTokenId: EOS,
  longestWord: Number.POSITIVE_INFINITY,
  changingTail: 0,
  encode(text) {
    const ids = text.split(specialPattern).flatMap((part) => {
      const special = specialIdOfToken.get(part.trim());
      return special === undefined ? Array.from(encoder.encode(part), (byte) => byte + OFFSET) : [special];
    });
    return ids.at(-1) === EOS ? ids : [...ids, EOS];
  },
  decode(ids, skipSpecialTokens) {
    const bytes = ids.flatMap((id) => {
      if (isByte(id)) return [id - OFFSET];
      const special = skipSpecialTokens ? undefined : tokenOfSpecialId.get(id);
      return special === undefined ? [] : [...encoder.encode(special)];
    });
    return decodeValid(Uint8Array.from(bytes));
  },
  // Incomplete characters are left out of a decoded text, so that what is there stays.
  isOpen: () => false,
  bytes: (id) => (isByte(id) ? Uint8Array.of(id - OFFSET) : encoder.encode(tokenOfSpecialId.get(id) ?? "")),
  token: (id) => tokenOfSpecialId.get(id) ?? (isByte(id) ? String.fromCharCode(id - OFFSET) : undefined),
};

function isByte(id: number): boolean {
  return id >= OFFSET && id < OFFSET + BYTES;
}

/** The text of bytes, those left out that are no UTF-8: Python's `errors="ignore"`. */
function decodeValid(bytes: Uint8Array): string {
  const whole = decodeStrictly(bytes);
  if (whole !== undefined) return whole;
  let text = "";
  for (let position = 0; position < bytes.length; ) {
    const length = sequenceLength(bytes[position] ?? 0);
    const character = decodeStrictly(bytes.subarray(position, position + length));
    text += character ?? "";
    position += character === undefined ? 1 : length;
  }
  return text;
}

function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** How many bytes a character has whose first byte this is. */
function sequenceLength(first: number): number {
  if (first >= 0xf0) return 4;
  if (first >= 0xe0) return 3;
  return first >= 0xc0 ? 2 : 1;
}
