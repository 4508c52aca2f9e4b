// The download of one file into the cache: it goes on where an earlier one ended, and is verified before it counts.
import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { throwIfAborted } from "./aborting.js";
import type { CachedRepository } from "./cached-repository.js";
import type { Answer, HubClient } from "./client.js";
import { HubError, transientError } from "./errors.js";
import { withLock } from "./lock.js";
import { etagOf, type RepositoryFile } from "./repository.js";

/** Called with the number of bytes of the file that are there. */
export type OnBytes = (bytes: number) => void;

const PIECE_BYTES = 2 ** 20;
/** The maximum number of failures in a row. Only those that brought less than a piece count. */
const MAX_FAILURES = 5;
/** The maximum number of failures in all, for a hub that breaks each connection after a piece. */
const MAX_FAILURES_IN_ALL = 100;

/**
 * Downloads a file of a commit, unless its content is in the cache, and makes it a file of the snapshot. Rejects with
 * ERR_DOWNLOAD_FAILED, ERR_MODEL_NOT_FOUND, ERR_MODEL_ACCESS_DENIED, ERR_MODEL_CORRUPT, and with the signal's reason.
 */
export async function downloadFile(
  repository: CachedRepository,
  commit: string,
  file: RepositoryFile,
  client: HubClient,
  onBytes: OnBytes,
): Promise<void> {
  const lock = repository.lock(file);
  await repository.makeDirectory(dirname(lock));
  await repository.makeDirectory(dirname(repository.blob(file)));
  const wait = (ms: number) => client.sleep(ms);
  await withLock(lock, wait, async () => {
    if (await repository.hasBlob(file)) onBytes(file.bytes);
    else await downloadBlob(repository, commit, file, client, onBytes);
  });
  await repository.link(commit, file);
}

async function downloadBlob(
  repository: CachedRepository,
  commit: string,
  file: RepositoryFile,
  client: HubClient,
  onBytes: OnBytes,
): Promise<void> {
  const path = repository.incomplete(file);
  for (;;) {
    const incomplete = await IncompleteFile.open(path, file, client.signal);
    const isResumed = incomplete.position > 0;
    let digest: string;
    try {
      await complete(incomplete, commit, file, client, onBytes);
      digest = incomplete.digest();
    } finally {
      await incomplete.close();
    }
    if (digest === etagOf(file)) {
      await rename(path, repository.blob(file));
      return;
    }
    await rm(path, { force: true });
    // The part that was here before may be at fault, as after a power failure. Else the hub is.
    if (!isResumed) {
      const what = `${file.sha256 === undefined ? "the git hash" : "SHA-256"} ${etagOf(file).slice(0, 12)}…`;
      throw corrupt(what, `the downloaded ${file.path}`, `${digest.slice(0, 12)}…`);
    }
  }
}

/** Downloads what is missing of a file, with repetitions as long as they make progress. */
async function complete(
  incomplete: IncompleteFile,
  commit: string,
  file: RepositoryFile,
  client: HubClient,
  onBytes: OnBytes,
): Promise<void> {
  onBytes(incomplete.position);
  let failures = 0;
  for (let all = 1; incomplete.position < file.bytes; all++) {
    const begin = incomplete.position;
    try {
      throwIfAborted(client.signal);
      await fetchRest(incomplete, commit, file, client, onBytes);
    } catch (thrown) {
      throwIfAborted(client.signal);
      if (!(thrown instanceof HubError && thrown.isTransient)) throw thrown;
      failures = incomplete.position - begin >= PIECE_BYTES ? 1 : failures + 1;
      if (failures === MAX_FAILURES || all === MAX_FAILURES_IN_ALL) throw thrown;
      await client.delay(failures, thrown.retryAfterMs);
    }
  }
}

/** One request for what is missing of a file. */
async function fetchRest(
  incomplete: IncompleteFile,
  commit: string,
  file: RepositoryFile,
  client: HubClient,
  onBytes: OnBytes,
): Promise<void> {
  const { position } = incomplete;
  const url = client.fileUrl(commit, file.path);
  const answer = await client.get(url, position === 0 ? {} : { range: `bytes=${position}-` }, file.path);
  try {
    // A server without ranges answers with the whole file.
    if (position > 0 && answer.status !== 206) incomplete.restart();
    checkLength(answer, file, incomplete.position);
  } catch (thrown) {
    answer.body.destroy();
    throw thrown;
  }
  await client.read(answer, file.path, async (chunk) => {
    if (incomplete.position + chunk.length > file.bytes) throw wrongSize(file, "more");
    await incomplete.append(chunk);
    onBytes(incomplete.position);
  });
  if (incomplete.position < file.bytes) {
    const message = `Expected ${file.bytes} bytes of ${file.path} from ${answer.host} but the connection ended after ${incomplete.position}`;
    throw transientError(message);
  }
}

/** Compares what an answer states about its range and length with the list of files. Throws ERR_MODEL_CORRUPT. */
function checkLength(answer: Answer, file: RepositoryFile, position: number): void {
  if (answer.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.header("content-range") ?? "");
    const isRight = range?.[1] === String(position) && (range[2] === "*" || range[2] === String(file.bytes));
    if (!isRight) throw wrongSize(file, answer.header("content-range") ?? "a range that isn't stated");
  }
  const length = answer.header("content-length");
  if (length !== undefined && Number(length) !== file.bytes - position) throw wrongSize(file, length);
}

function wrongSize(file: RepositoryFile, received: string): T5Error {
  const message = `Expected ${file.bytes} bytes, as the hub's list of files states, for ${file.path} but received ${received}`;
  return new T5Error("ERR_MODEL_CORRUPT", message);
}

/** A file that is being downloaded, and the hash of the part that is there. */
class IncompleteFile {
  readonly #handle: FileHandle;
  readonly #file: RepositoryFile;
  #hash: Hash;
  #position = 0;

  private constructor(handle: FileHandle, file: RepositoryFile) {
    this.#handle = handle;
    this.#file = file;
    this.#hash = newHash(file);
  }

  /**
   * Opens the part that an earlier download has left, and hashes it; else a new file. Follows no symbolic link. Rejects
   * with the signal's reason.
   */
  static async open(path: string, file: RepositoryFile, signal: AbortSignal | undefined): Promise<IncompleteFile> {
    const { O_RDWR, O_CREAT, O_NOFOLLOW = 0 } = constants;
    const handle = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o666);
    const incomplete = new IncompleteFile(handle, file);
    try {
      const { size } = await handle.stat();
      if (size <= file.bytes) await incomplete.#hashTo(size, signal);
      else await handle.truncate(0);
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
    return incomplete;
  }

  /** The number of bytes that are there. */
  get position(): number {
    return this.#position;
  }

  /** Begins again. */
  restart(): void {
    this.#position = 0;
    this.#hash = newHash(this.#file);
  }

  async append(chunk: Buffer): Promise<void> {
    for (let written = 0; written < chunk.length; ) {
      const at = this.#position + written;
      written += (await this.#handle.write(chunk, written, chunk.length - written, at)).bytesWritten;
    }
    this.#hash.update(chunk);
    this.#position += chunk.length;
  }

  /** The hash of a complete file, in hexadecimal. */
  digest(): string {
    return this.#hash.digest("hex");
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #hashTo(size: number, signal: AbortSignal | undefined): Promise<void> {
    const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size));
    while (this.#position < size) {
      throwIfAborted(signal);
      const { bytesRead } = await this.#handle.read(piece, 0, piece.length, this.#position);
      if (bytesRead === 0) break;
      this.#hash.update(piece.subarray(0, bytesRead));
      this.#position += bytesRead;
    }
  }
}

/** The hash that names the content of a file: SHA-256, or that of a git object. */
function newHash(file: RepositoryFile): Hash {
  if (file.sha256 !== undefined) return createHash("sha256");
  return createHash("sha1").update(`blob ${file.bytes}\0`);
}
