// Writes a safetensors file of one float32 matrix: the header's length in bytes, a JSON header, and little-endian
// numbers (https://github.com/huggingface/safetensors).
import { rmSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { endianness } from "node:os";

const LENGTH_BYTES = 8;
/**
 * The header is written last, when the number of rows is known. Spaces pad it to this size, which is enough for any
 * shape.
 */
const WRITTEN_HEADER_BYTES = 248;
const WRITTEN_DATA_OFFSET = LENGTH_BYTES + WRITTEN_HEADER_BYTES;

/** Writes a float32 matrix row by row. The file is written under another name, and renamed when it is complete. */
export class SafetensorsWriter {
  readonly #path: string;
  readonly #partialPath: string;
  #file: FileHandle | undefined;
  #bytes = 0;

  /** Touches no file, so that the caller can register `abandonNow` for interruptions before `open`. */
  constructor(path: string) {
    checkEndianness();
    this.#path = path;
    this.#partialPath = `${path}.${process.pid}.partial`;
  }

  /** Makes the file. To be called before `append`. */
  async open(): Promise<void> {
    this.#file = await open(this.#partialPath, "w");
  }

  /** Adds rows. */
  async append(rows: Float32Array): Promise<void> {
    const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
    for (let written = 0; written < bytes.length; ) {
      const position = WRITTEN_DATA_OFFSET + this.#bytes + written;
      const { bytesWritten } = await this.#handle.write(bytes, written, null, position);
      written += bytesWritten;
    }
    this.#bytes += bytes.length;
  }

  /** Writes the header of a tensor `[rows, columns]` with this name, and renames the file. */
  async finish(name: string, columns: number): Promise<void> {
    const shape = [this.#bytes / Float32Array.BYTES_PER_ELEMENT / columns, columns];
    const header = JSON.stringify({ [name]: { dtype: "F32", shape, data_offsets: [0, this.#bytes] } });
    const bytes = Buffer.alloc(WRITTEN_DATA_OFFSET, " ");
    bytes.writeBigUInt64LE(BigInt(WRITTEN_HEADER_BYTES));
    bytes.write(header, LENGTH_BYTES);
    await this.#handle.write(bytes, 0, bytes.length, 0);
    await this.#handle.close();
    await rename(this.#partialPath, this.#path);
  }

  /** Deletes the file. */
  async abandon(): Promise<void> {
    await this.#file?.close();
    await rm(this.#partialPath, { force: true });
  }

  /** Deletes the file before it returns. */
  abandonNow(): void {
    rmSync(this.#partialPath, { force: true });
  }

  get #handle(): FileHandle {
    if (this.#file === undefined) throw new Error("Expected an open file to write to");
    return this.#file;
  }
}

function checkEndianness(): void {
  if (endianness() !== "LE") throw new Error("Expected a little-endian machine for safetensors files");
}
