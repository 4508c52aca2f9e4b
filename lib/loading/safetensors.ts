// Reads safetensors files of an export: float32 and int64 tensors. A file is the header's length in bytes, a JSON
// header, and little-endian numbers (https://github.com/huggingface/safetensors).
import { readFile } from "node:fs/promises";
import { endianness } from "node:os";
import { basename } from "node:path";
import { checkObject, corrupt, parseJson } from "../util/json.js";
import { isRecord } from "../util/validation.js";

export interface StoredTensor<Data = Float32Array | BigInt64Array> {
  readonly data: Data;
  readonly shape: readonly number[];
}

const LENGTH_BYTES = 8;
const ARRAYS = { F32: Float32Array, I64: BigInt64Array } as const;

/** The tensors of a file, by name. Rejects with ERR_MODEL_CORRUPT, and with the error of a file that can't be read. */
export async function readSafetensors(path: string): Promise<ReadonlyMap<string, StoredTensor>> {
  if (endianness() !== "LE") throw new Error("Expected a little-endian machine for safetensors files");
  const name = basename(path);
  const file = await readFile(path);
  const headerBytes = file.length < LENGTH_BYTES ? Number.NaN : Number(file.readBigUInt64LE(0));
  const dataOffset = LENGTH_BYTES + headerBytes;
  if (!(dataOffset <= file.length)) throw corrupt("a header inside the file", name, headerBytes);
  const header = checkObject(parseJson(file.toString("utf8", LENGTH_BYTES, dataOffset), name), name);
  const entries = Object.entries(header).filter(([tensor]) => tensor !== "__metadata__");
  return new Map(
    entries.map(([tensor, entry]) => [tensor, readTensor(file, dataOffset, `${tensor} in ${name}`, entry)]),
  );
}

function readTensor(file: Buffer, dataOffset: number, name: string, entry: unknown): StoredTensor {
  const { dtype, shape, data_offsets: offsets }: Readonly<Record<string, unknown>> = isRecord(entry) ? entry : {};
  if (dtype !== "F32" && dtype !== "I64") throw corrupt("F32 or I64", `the type of ${name}`, dtype);
  if (!isSizes(shape)) throw corrupt("sizes", `the shape of ${name}`, shape);
  const [begin, end] = isSizes(offsets) ? offsets : [];
  const bytes = shape.reduce((product, size) => product * size, ARRAYS[dtype].BYTES_PER_ELEMENT);
  if (begin === undefined || end === undefined || end - begin !== bytes || dataOffset + end > file.length) {
    throw corrupt(`offsets of ${bytes} bytes inside the file`, name, offsets);
  }
  // A copy, because a typed array needs an aligned offset, which the format doesn't guarantee.
  const copy = Uint8Array.prototype.slice.call(file, dataOffset + begin, dataOffset + end);
  return { data: new ARRAYS[dtype](copy.buffer), shape };
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
