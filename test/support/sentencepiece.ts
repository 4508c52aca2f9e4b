// Writes the protobuf of SentencePiece models, also ones that are wrong.

/** The wire types of Protocol Buffers. */
export const VARINT = 0;
export const FIXED_64 = 1;
export const LENGTH_DELIMITED = 2;
export const START_GROUP = 3;
export const END_GROUP = 4;
export const FIXED_32 = 5;

/** The types of pieces. */
export const NORMAL = 1;
export const UNKNOWN = 2;
export const CONTROL = 3;

/** T5's first pieces. */
export const FIRST_PIECES = [piece("<pad>", 0, CONTROL), piece("</s>", 0, CONTROL), piece("<unk>", 0, UNKNOWN)];

export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Buffer.from([...bytes, rest]);
}

/** A field: its tag and its payload, which for a field with a length is preceded by that. */
export function field(number: number, wireType: number, payload: Uint8Array): Buffer {
  const tag = varint(number * 8 + wireType);
  return wireType === LENGTH_DELIMITED
    ? Buffer.concat([tag, varint(payload.length), payload])
    : Buffer.concat([tag, payload]);
}

export function message(number: number, ...fields: readonly Uint8Array[]): Buffer {
  return field(number, LENGTH_DELIMITED, Buffer.concat(fields));
}

/** A piece of ModelProto. */
export function piece(text: string | Uint8Array, score = -1, type = NORMAL): Buffer {
  const float = Buffer.alloc(4);
  float.writeFloatLE(score);
  return message(
    1,
    field(1, LENGTH_DELIMITED, Buffer.from(text)),
    field(2, FIXED_32, float),
    field(3, VARINT, varint(type)),
  );
}
