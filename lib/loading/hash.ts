// SHA-256 of a file, in constant memory, on this thread or on a worker thread.
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { Worker } from "node:worker_threads";

/** Two pieces of each hashed file stay resident until the garbage is collected, so they are small. */
const PIECE_BYTES = 2 ** 20;
/** A piece that is hashed from the L2 cache, where reading has left it. */
const CACHED_PIECE_BYTES = 2 ** 18;

/** The SHA-256 of the first `bytes` bytes of a file, in lower-case hexadecimal. */
export async function sha256(path: string, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  const file = await open(path, "r");
  try {
    const size = Math.min(PIECE_BYTES, bytes);
    // One piece is read while the other is hashed.
    const pieces: [Buffer, Buffer] = [Buffer.allocUnsafe(size), Buffer.allocUnsafe(size)];
    let pending = file.read(pieces[0], 0, size, 0);
    for (let position = 0, turn: 0 | 1 = 0; position < bytes; turn = turn === 0 ? 1 : 0) {
      const { bytesRead } = await pending;
      if (bytesRead === 0) break;
      position += bytesRead;
      const next = pieces[turn === 0 ? 1 : 0];
      if (position < bytes) pending = file.read(next, 0, Math.min(size, bytes - position), position);
      hash.update(pieces[turn].subarray(0, bytesRead));
    }
    return hash.digest("hex");
  } finally {
    await file.close();
  }
}

/**
 * As `sha256`, blocking the thread. It takes less of the processor, because no other thread reads: while libtorch is
 * opened and weights are packed, no core is idle.
 */
export function sha256Sync(path: string, bytes: number): string {
  const hash = createHash("sha256");
  const file = openSync(path, "r");
  try {
    const piece = Buffer.allocUnsafe(Math.min(CACHED_PIECE_BYTES, bytes));
    for (let position = 0; position < bytes; ) {
      const bytesRead = readSync(file, piece, 0, Math.min(piece.length, bytes - position), position);
      if (bytesRead === 0) break;
      position += bytesRead;
      hash.update(piece.subarray(0, bytesRead));
    }
    return hash.digest("hex");
  } finally {
    closeSync(file);
  }
}

/** As `sha256`, on a worker thread, so that the event loop stays free; on this thread if no worker can run. */
export function sha256OnWorker(path: string, bytes: number): Promise<string> {
  const hashed = new Promise<string>((resolve, reject) => {
    const worker = new Worker(new URL("./hash-worker.js", import.meta.url), {
      workerData: { path, bytes },
      execArgv: [],
    });
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => reject(new Error(`The thread that hashes ${path} ended early`)));
  });
  return hashed.catch(() => sha256(path, bytes));
}
