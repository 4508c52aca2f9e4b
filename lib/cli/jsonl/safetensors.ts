// The safetensors format, as far as parity.safetensors uses it: a JSON header, then little-endian numbers.
import { readFile } from "node:fs/promises";
import { endianness } from "node:os";

export interface StoredTensor<Data = Float32Array | BigInt64Array> {
  readonly data: Data;
  readonly shape: readonly number[];
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [begin: number, end: number];
}

const LENGTH_BYTES = 8;
const ARRAYS = { F32: Float32Array, I64: BigInt64Array } as const;

/** The tensors of a file, by name. The exporter writes it, and its SHA-256 is in the manifest. */
export async function readSafetensors(path: string): Promise<ReadonlyMap<string, StoredTensor>> {
  if (endianness() !== "LE") throw new Error("Expected a little-endian machine to read safetensors on");
  const file = await readFile(path);
  const headerEnd = LENGTH_BYTES + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", LENGTH_BYTES, headerEnd)) as Readonly<Record<string, Entry>>;
  const entries = Object.entries(header).filter(([name]) => name !== "__metadata__");
  return new Map(entries.map(([name, entry]) => [name, readTensor(file, headerEnd, name, entry)]));
}

function readTensor(file: Buffer, start: number, name: string, { dtype, shape, data_offsets }: Entry): StoredTensor {
  if (dtype !== "F32" && dtype !== "I64") throw new Error(`Expected F32 or I64 for ${name} but received ${dtype}`);
  const [begin, end] = data_offsets;
  // A copy, because the numbers need not lie at a multiple of their size.
  const bytes = Uint8Array.prototype.slice.call(file, start + begin, start + end);
  return { data: new ARRAYS[dtype](bytes.buffer), shape };
}
