// One float32 matrix as a safetensors file, written row by row: how many rows there are is said last.
import { rmSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { endianness } from "node:os";

const LENGTH_BYTES = 8;
// Spaces may end the header, so that it can be written when the shape is known; 256 bytes hold any.
const HEADER_BYTES = 248;
const DATA_BEGIN = LENGTH_BYTES + HEADER_BYTES;

/** The file has its name once it is whole. */
export class SafetensorsWriter {
  readonly #path: string;
  readonly #partial: string;
  #file: FileHandle | undefined;
  #bytes = 0;

  /** Touches nothing: `abandonNow` can be made to follow an interruption before there is a file. */
  constructor(path: string) {
    if (endianness() !== "LE") throw new Error("Expected a little-endian machine to write safetensors on");
    this.#path = path;
    this.#partial = `${path}.${process.pid}.partial`;
  }

  /** Makes the file; to be called first. */
  async open(): Promise<void> {
    this.#file = await open(this.#partial, "w");
  }

  /** Adds rows behind those that are there. */
  async append(rows: Float32Array): Promise<void> {
    const bytes = new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes, written, null, this.#place(written));
      written += bytesWritten;
    }
    this.#bytes += bytes.length;
  }

  /** Writes what the rows are, and gives the file its name. */
  async finish(name: string, columns: number): Promise<void> {
    const shape = [this.#bytes / Float32Array.BYTES_PER_ELEMENT / columns, columns];
    const header = JSON.stringify({ [name]: { dtype: "F32", shape, data_offsets: [0, this.#bytes] } });
    const bytes = Buffer.alloc(DATA_BEGIN, " ");
    bytes.writeBigUInt64LE(BigInt(HEADER_BYTES));
    bytes.write(header, LENGTH_BYTES);
    await this.#handle.write(bytes, 0, bytes.length, 0);
    await this.#handle.close();
    await rename(this.#partial, this.#path);
  }

  /** Leaves nothing of it. */
  async abandon(): Promise<void> {
    await this.#file?.close();
    await rm(this.#partial, { force: true });
  }

  /** The same, at once. */
  abandonNow(): void {
    rmSync(this.#partial, { force: true });
  }

  get #handle(): FileHandle {
    if (this.#file === undefined) throw new Error("Expected an open file to write to");
    return this.#file;
  }

  #place(written: number): number {
    return DATA_BEGIN + this.#bytes + written;
  }
}
