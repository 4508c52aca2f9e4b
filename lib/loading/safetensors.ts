// Reads safetensors files. A file is the header's length in bytes, a JSON header, and little-endian numbers
// (https://github.com/huggingface/safetensors). As Hugging Face's reader, this one refuses a file whose tensors don't
// cover it exactly; and, unlike that one, a name that occurs twice.
import { isUtf8 } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import { endianness } from "node:os";
import { basename } from "node:path";
import { cut } from "../util/describe.js";
import { T5Error } from "../util/errors.js";
import { checkObject, corrupt, parseJson } from "../util/json.js";
import { isRecord, refused } from "../util/validation.js";

export interface StoredTensor<Data = Float32Array | BigInt64Array> {
  readonly data: Data;
  readonly shape: readonly number[];
}

/** Where a tensor is in its file. */
export interface TensorEntry {
  /** "F32", "BF16" and so on. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Of its first byte, from the begin of the file. */
  readonly offset: number;
  readonly bytes: number;
}

/** The tensors of a file, and its size in bytes. */
export interface SafetensorsHeader {
  readonly bytes: number;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
}

const LENGTH_BYTES = 8;
/** The header of the largest T5 takes a hundredth of this. Hugging Face's reader accepts 100 MB. */
const MAX_HEADER_BYTES = 16 * 2 ** 20;
/** An object of objects of arrays. */
const MAX_DEPTH = 3;
const MAX_NAME_LENGTH = 100;
const METADATA = "__metadata__";
const ARRAYS = { F32: Float32Array, I64: BigInt64Array } as const;

/** How numbers of each type become those of float32: exactly, or of float64 rounded to the nearest. */
const FLOATS: ReadonlyMap<string, (numbers: ArrayBuffer) => Float32Array> = new Map([
  ["F32", (numbers) => new Float32Array(numbers)],
  ["F64", (numbers) => Float32Array.from(new Float64Array(numbers))],
  ["BF16", (numbers) => bitsToFloats(Uint32Array.from(new Uint16Array(numbers), (bits) => bits << 16))],
  ["F16", (numbers) => Float32Array.from(new Uint16Array(numbers), halfToFloat)],
]);

/** The types of the format whose elements are whole bytes, and how many. */
const ELEMENT_BYTES: ReadonlyMap<unknown, number> = new Map([
  ...(["BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"] as const).map(withBytes(1)),
  ...(["U16", "I16", "F16", "BF16"] as const).map(withBytes(2)),
  ...(["U32", "I32", "F32"] as const).map(withBytes(4)),
  ...(["U64", "I64", "F64", "C64"] as const).map(withBytes(8)),
]);

/** The tensors of a file, by name. Rejects with ERR_MODEL_CORRUPT, and with the error of a file that can't be read. */
export async function readSafetensors(path: string): Promise<ReadonlyMap<string, StoredTensor>> {
  if (endianness() !== "LE") throw new Error("Expected a little-endian machine for safetensors files");
  const name = basename(path);
  const file = await open(path, "r");
  try {
    const { tensors } = await readHeaderOf(file, name);
    const read = new Map<string, StoredTensor>();
    for (const [tensor, entry] of tensors) read.set(tensor, await readTensor(file, entry, tensorIn(tensor, name)));
    return read;
  } finally {
    await file.close();
  }
}

/**
 * The floating-point tensors of a file, which messages call `name`, in float32: those of the names and shapes in `shapes`,
 * which have to be all of the file. Rejects with ERR_MODEL_CORRUPT, and with the error of a file that can't be read.
 */
export async function readFloats(
  path: string,
  name: string,
  shapes: ReadonlyMap<string, readonly number[]>,
): Promise<ReadonlyMap<string, StoredTensor<Float32Array>>> {
  const file = await open(path, "r");
  try {
    const { tensors } = await readHeaderOf(file, name);
    const shapeList = (found: Iterable<readonly [string, readonly number[]]>) =>
      [...found].map(([tensor, shape]) => `${tensor} ${JSON.stringify(shape)}`).sort();
    const received = shapeList([...tensors].map(([tensor, { shape }]) => [tensor, shape] as const)).join(", ");
    const wanted = shapeList(shapes).join(", ");
    if (received !== wanted) {
      throw refused(wanted, `the tensors of ${name}`, cut(received, MAX_NAME_LENGTH), "ERR_MODEL_CORRUPT");
    }
    const read = new Map<string, StoredTensor<Float32Array>>();
    for (const [tensor, { dtype, shape, offset, bytes }] of tensors) {
      const toFloat32 = FLOATS.get(dtype);
      if (toFloat32 === undefined) {
        throw corrupt([...FLOATS.keys()].join(", "), `the type of ${tensorIn(tensor, name)}`, dtype);
      }
      read.set(tensor, { data: toFloat32((await readBytes(file, offset, bytes, name)).buffer), shape });
    }
    return read;
  } finally {
    await file.close();
  }
}

/**
 * The header of a file, which messages call `name`. Every tensor is inside the file. Rejects with ERR_MODEL_CORRUPT, and
 * with the error of a file that can't be read.
 */
export async function readSafetensorsHeader(path: string, name: string): Promise<SafetensorsHeader> {
  const file = await open(path, "r");
  try {
    return await readHeaderOf(file, name);
  } finally {
    await file.close();
  }
}

/** How messages name a tensor. */
export function tensorIn(tensor: string, file: string): string {
  return `${cut(tensor, MAX_NAME_LENGTH)} in ${file}`;
}

async function readHeaderOf(file: FileHandle, name: string): Promise<SafetensorsHeader> {
  const { size } = await file.stat();
  if (size < LENGTH_BYTES) throw corrupt(`at least ${LENGTH_BYTES} bytes`, `the size of ${name}`, size);
  const length = (await readBytes(file, 0, LENGTH_BYTES, name)).readBigUInt64LE();
  const limit = Math.min(MAX_HEADER_BYTES, size - LENGTH_BYTES);
  if (length > limit) throw corrupt(`a header of at most ${limit} bytes`, name, length);
  const header = await readBytes(file, LENGTH_BYTES, Number(length), name);
  return { bytes: size, tensors: parseSafetensorsHeader(header, size, name) };
}

/**
 * The tensors in the JSON header of a file of `fileBytes` bytes, which messages call `name`. Every tensor is inside the
 * file, and no two overlap. Throws ERR_MODEL_CORRUPT.
 */
export function parseSafetensorsHeader(
  json: Uint8Array,
  fileBytes: number,
  name: string,
): ReadonlyMap<string, TensorEntry> {
  if (!isUtf8(json)) throw refused("UTF-8", `the header of ${name}`, "other bytes", "ERR_MODEL_CORRUPT");
  const header = checkObject(parseJson(new TextDecoder().decode(json), `the header of ${name}`, MAX_DEPTH), name);
  const dataOffset = LENGTH_BYTES + json.length;
  const tensors = Object.entries(header)
    .filter(([tensor]) => tensor !== METADATA)
    .map(([tensor, entry]) => [tensor, parseEntry(entry, dataOffset, tensorIn(tensor, name))] as const);
  let covered = dataOffset;
  for (const [tensor, { offset, bytes }] of tensors.toSorted(
    ([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes,
  )) {
    if (offset !== covered) {
      const what = `offset ${covered - dataOffset}, where the tensor before it ends,`;
      throw corrupt(what, tensorIn(tensor, name), offset - dataOffset);
    }
    covered += bytes;
  }
  if (covered !== fileBytes) throw corrupt(`${covered - dataOffset} bytes of numbers`, name, fileBytes - dataOffset);
  return new Map(tensors);
}

function parseEntry(value: unknown, dataOffset: number, name: string): TensorEntry {
  const { dtype, shape, data_offsets: offsets }: Readonly<Record<string, unknown>> = isRecord(value) ? value : {};
  const elementBytes = ELEMENT_BYTES.get(dtype);
  if (typeof dtype !== "string" || elementBytes === undefined) {
    throw corrupt("a known type", `the type of ${name}`, dtype);
  }
  if (!isSizes(shape)) throw corrupt("sizes", `the shape of ${name}`, shape);
  const [begin, end] = isSizes(offsets) && offsets.length === 2 ? offsets : [];
  const bytes = shape.reduce((product, size) => product * size, elementBytes);
  if (begin === undefined || end === undefined || end - begin !== bytes) {
    const received = Array.isArray(offsets) ? cut(JSON.stringify(offsets), MAX_NAME_LENGTH) : "none";
    throw refused(`offsets of ${bytes} bytes`, name, received, "ERR_MODEL_CORRUPT");
  }
  return { dtype, shape, offset: dataOffset + begin, bytes };
}

async function readTensor(file: FileHandle, entry: TensorEntry, name: string): Promise<StoredTensor> {
  const { dtype, shape, offset, bytes } = entry;
  if (dtype !== "F32" && dtype !== "I64") throw corrupt("F32 or I64", `the type of ${name}`, dtype);
  // In its own memory, because a typed array needs an aligned offset, which the format doesn't guarantee.
  const { buffer } = await readBytes(file, offset, bytes, name);
  return { data: new ARRAYS[dtype](buffer), shape };
}

/** Bytes of a file, in memory of their own. Rejects with ERR_MODEL_CORRUPT where the file ends early. */
async function readBytes(file: FileHandle, offset: number, bytes: number, name: string): Promise<Buffer<ArrayBuffer>> {
  const buffer = Buffer.from(allocate(bytes, name));
  for (let filled = 0; filled < bytes; ) {
    const { bytesRead } = await file.read(buffer, filled, bytes - filled, offset + filled);
    if (bytesRead === 0) throw corrupt(`${bytes} bytes at ${offset}`, name, filled);
    filled += bytesRead;
  }
  return buffer;
}

function allocate(bytes: number, name: string): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch (cause) {
    throw new T5Error("ERR_OUT_OF_MEMORY", `Expected ${bytes} bytes of memory for ${name} but found less`, { cause });
  }
}

function bitsToFloats({ buffer }: Uint32Array<ArrayBuffer>): Float32Array {
  return new Float32Array(buffer);
}

/** The number of the bits of a float16: 1 of sign, 5 of exponent, 10 of fraction. */
function halfToFloat(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 === 0 ? 1 : -1, (bits >> 10) & 0x1f, (bits & 0x3ff) / 2 ** 10];
  if (exponent === 0) return sign * fraction * 2 ** -14;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction) * 2 ** (exponent - 15);
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function withBytes(bytes: number): (dtype: string) => readonly [string, number] {
  return (dtype) => [dtype, bytes];
}
