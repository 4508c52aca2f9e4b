// What the hub knows of a model: the commit that a revision stands for, and the files of a commit.
import { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { isInside } from "../util/paths.js";
import { isRecord } from "../util/validation.js";
import type { HubClient } from "./client.js";
import { isCommit } from "./revision.js";

/** A file of a commit. */
export interface RepositoryFile {
  readonly path: string;
  readonly bytes: number;
  /** The SHA-1 of the git object: of the file itself, or of its pointer where git LFS stores the file. */
  readonly blobId: string;
  /** The SHA-256 of the file, where git LFS stores it. */
  readonly sha256: string | undefined;
  /** Only kept for Python, which downloads by it. */
  readonly xetHash: string | undefined;
}

/** The files of a commit, by path. */
export type RepositoryFiles = ReadonlyMap<string, RepositoryFile>;

const SHA1 = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** Rejects with ERR_MODEL_NOT_FOUND, ERR_MODEL_ACCESS_DENIED, ERR_MODEL_CORRUPT, ERR_DOWNLOAD_FAILED. */
export async function resolveCommit(client: HubClient, name: string, revision: string): Promise<string> {
  const { modelInfo } = await import("@huggingface/hub");
  const request = { name, revision, hubUrl: client.settings.endpoint, fetch: client.fetch };
  const sha: unknown = await understood(async () => {
    const info = await modelInfo({ ...request, additionalFields: ["sha"] });
    return info.sha;
  });
  if (isCommit(sha)) return sha;
  throw corrupt("a commit", `the hub's answer about ${JSON.stringify(name)}`, sha);
}

/** Rejects as `resolveCommit`. */
export async function listCommit(client: HubClient, name: string, commit: string): Promise<RepositoryFiles> {
  const { listFiles } = await import("@huggingface/hub");
  const request = { repo: name, revision: commit, recursive: true, hubUrl: client.settings.endpoint };
  const files = new Map<string, RepositoryFile>();
  await understood(async () => {
    for await (const entry of listFiles({ ...request, fetch: client.fetch })) {
      const file = readEntry(entry);
      if (file !== undefined) files.set(file.path, file);
    }
  });
  return files;
}

/**
 * The name of a file's content in the cache: its ETag on the hub.
 */
export function etagOf({ sha256, blobId }: RepositoryFile): string {
  return sha256 ?? blobId;
}

/** A file by its parts. Undefined unless each is what the hub's documentation states. */
export function makeFile(
  path: unknown,
  bytes: unknown,
  blobId: unknown,
  sha256: unknown,
  xetHash: unknown,
): RepositoryFile | undefined {
  if (typeof path !== "string" || !isInside(path)) return undefined;
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) return undefined;
  if (typeof blobId !== "string" || !SHA1.test(blobId)) return undefined;
  if (sha256 !== undefined && !(typeof sha256 === "string" && SHA256.test(sha256))) return undefined;
  const isXet = typeof xetHash === "string" && SHA256.test(xetHash);
  return { path, bytes, blobId, sha256, xetHash: isXet ? xetHash : undefined };
}

/** Undefined for a directory, and for a path that leads out of the repository, which no model needs. */
function readEntry(entry: unknown): RepositoryFile | undefined {
  if (!isRecord(entry)) throw corrupt("a file", "an entry of the hub's list of files", entry);
  const { type, path, size, oid, lfs, xetHash } = entry;
  if (type !== "file" || (typeof path === "string" && !isInside(path))) return undefined;
  const file = isRecord(lfs)
    ? makeFile(path, lfs.size, oid, lfs.oid, xetHash)
    : makeFile(path, size, oid, undefined, undefined);
  if (file !== undefined) return file;
  throw corrupt("a path, a size and hashes", "a file in the hub's list of files", path);
}

/** Runs a function of @huggingface/hub, whose errors for malformed JSON have no code. */
async function understood<Result>(run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (thrown) {
    if (thrown instanceof T5Error || !(thrown instanceof SyntaxError || thrown instanceof TypeError)) throw thrown;
    const message = "Expected JSON of the hub's form for its answer but received something else";
    throw new T5Error("ERR_MODEL_CORRUPT", message, { cause: thrown });
  }
}
