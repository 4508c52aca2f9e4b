// The snapshot of a model on the hub: what the cache lacks of it is downloaded.
import { readFile, stat, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { throwIfAborted } from "./aborting.js";
import { CachedRepository } from "./cached-repository.js";
import { HubClient } from "./client.js";
import { downloadFile } from "./download.js";
import { cacheError, HubError } from "./errors.js";
import type { CheckedHubOptions, DownloadProgress } from "./options.js";
import { listCommit, type RepositoryFile, type RepositoryFiles, resolveCommit } from "./repository.js";
import { DEFAULT_REVISION, isCommit } from "./revision.js";
import type { Selection } from "./selection.js";
import type { HubSettings } from "./settings.js";

/** A model on the hub, and what is wanted of it. */
interface Wanted {
  readonly repository: CachedRepository;
  readonly revision: string;
  readonly select: Selection;
  readonly progress: ((progress: DownloadProgress) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The maximum size of a file that states which other files are needed. */
const MAX_LIST_BYTES = 32 * 2 ** 20;

/** The directory of the snapshot. Rejects as `locateModel`. */
export async function locateSnapshot(
  name: string,
  options: CheckedHubOptions,
  select: Selection,
  settings: HubSettings,
): Promise<string> {
  const { revision = DEFAULT_REVISION, progress, signal } = options;
  const cacheDir = options.cacheDir === undefined ? settings.cacheDir : resolve(options.cacheDir);
  const wanted = { repository: new CachedRepository(cacheDir, name), revision, select, progress, signal };
  try {
    if (options.localFilesOnly || settings.isOffline) {
      return await findOffline(wanted, options.localFilesOnly ? "localFilesOnly is true" : "HF_HUB_OFFLINE is set");
    }
    return await findOnline(wanted, settings);
  } catch (thrown) {
    throw thrown instanceof HubError ? thrown.asT5Error() : cacheError(thrown, cacheDir);
  }
}

async function findOffline(wanted: Wanted, why: string): Promise<string> {
  const { repository, revision } = wanted;
  const commit = isCommit(revision) ? revision : await repository.readRef(revision);
  const missing = commit === undefined ? undefined : await missingFiles(wanted, commit);
  if (commit !== undefined && missing?.length === 0) return repository.snapshot(commit);
  const { name, cacheDir } = repository;
  const found = missing === undefined || missing.length === 0 ? "none" : `it without ${missing.join(", ")}`;
  const what = `${JSON.stringify(name)} (revision ${JSON.stringify(revision)})`;
  const message = `Expected a local directory, or ${what} in the cache ${JSON.stringify(cacheDir)}, as ${why}, but found ${found}`;
  throw new T5Error("ERR_MODEL_NOT_FOUND", message);
}

/**
 * Asks the hub what the revision stands for now. Where the hub doesn't answer that, or refuses to, the snapshot that the
 * revision stood for the last time is used, as huggingface_hub does.
 */
async function findOnline(wanted: Wanted, settings: HubSettings): Promise<string> {
  const { repository, revision, signal } = wanted;
  const last = isCommit(revision) ? revision : await repository.readRef(revision);
  const fallback = last !== undefined && (await isUsable(wanted, last)) ? last : undefined;
  // A commit never changes, and its list of files proves that none is missing.
  const isKnown = fallback === revision && (await repository.readTree(revision)) !== undefined;
  if (isKnown) return repository.snapshot(revision);
  const client = new HubClient(settings, repository.name, revision, signal);
  try {
    client.isPatient = fallback === undefined;
    const asked = await askHub(wanted, client).catch((thrown: unknown) => {
      throwIfAborted(signal);
      if (fallback === undefined || (thrown instanceof HubError && thrown.lacksRevision)) throw thrown;
      return fallback;
    });
    if (typeof asked === "string") return repository.snapshot(asked);
    client.isPatient = true;
    await downloadMissing(wanted, client, asked.commit, asked.files);
    // Last, so that the revision never stands for an incomplete snapshot.
    await attemptWrite(repository.writeRef(revision, asked.commit));
    return repository.snapshot(asked.commit);
  } finally {
    client.close();
  }
}

/** The commit that a revision stands for now, and its files. */
async function askHub(
  wanted: Wanted,
  client: HubClient,
): Promise<{ readonly commit: string; readonly files: RepositoryFiles }> {
  const { repository, revision } = wanted;
  const commit = isCommit(revision) ? revision : await resolveCommit(client, repository.name, revision);
  return { commit, files: await filesOf(wanted, client, commit) };
}

async function filesOf({ repository }: Wanted, client: HubClient, commit: string): Promise<RepositoryFiles> {
  const known = await repository.readTree(commit);
  if (known !== undefined) return known;
  const files = await listCommit(client, repository.name, commit);
  await repository.tagCache();
  await attemptWrite(repository.writeTree(commit, files));
  return files;
}

async function downloadMissing(
  { repository, select, progress }: Wanted,
  client: HubClient,
  commit: string,
  files: RepositoryFiles,
): Promise<void> {
  const available = {
    has: (path: string) => files.has(path),
    async read(path: string): Promise<string> {
      const file = files.get(path);
      if (file === undefined || file.bytes > MAX_LIST_BYTES) {
        throw corrupt(`at most ${MAX_LIST_BYTES} bytes`, path, file?.bytes);
      }
      if (!(await repository.hasFile(commit, file))) await downloadFile(repository, commit, file, client, () => {});
      return readFile(join(repository.snapshot(commit), path), "utf8");
    },
  };
  const selected = await select(repository.name, available);
  const missing: RepositoryFile[] = [];
  for (const path of selected) {
    const file = files.get(path);
    if (file !== undefined && !(await repository.hasFile(commit, file))) missing.push(file);
  }
  await checkSpace(repository, missing);
  const totalBytes = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  let before = 0;
  for (const file of missing) {
    const done = before;
    await downloadFile(repository, commit, file, client, (loadedBytes) => {
      const overall = { loadedBytes: done + loadedBytes, totalBytes };
      const event = { name: repository.name, commit, file: file.path, loadedBytes, totalBytes: file.bytes, overall };
      progress?.(event);
    });
    before += file.bytes;
  }
}

/** Rejects with ERR_DOWNLOAD_FAILED where the files need more space than the disk has. */
async function checkSpace(repository: CachedRepository, missing: readonly RepositoryFile[]): Promise<void> {
  if (missing.length === 0) return;
  await repository.makeDirectory(repository.folder);
  const present = async (path: string) => (await stat(path).catch(() => undefined))?.size ?? 0;
  let needed = 0;
  for (const file of missing) {
    if (!(await repository.hasBlob(file))) needed += file.bytes - (await present(repository.incomplete(file)));
  }
  const { bavail, bsize } = await statfs(repository.folder);
  const free = bavail * bsize;
  if (needed <= free) return;
  const { name, cacheDir } = repository;
  const message = `Expected ${needed} bytes of free space in ${JSON.stringify(cacheDir)} for ${JSON.stringify(name)} but found ${free}`;
  throw new T5Error("ERR_DOWNLOAD_FAILED", message);
}

/** Whether the snapshot of a commit has every file that is needed, so far as the cache knows. */
async function isUsable(wanted: Wanted, commit: string): Promise<boolean> {
  const missing = await missingFiles(wanted, commit).catch(() => undefined);
  return missing?.length === 0;
}

/**
 * The selected files that the snapshot of a commit lacks. Without a list of the commit's files, those of the snapshot
 * stand for it. Undefined if there is no snapshot.
 */
async function missingFiles({ repository, select }: Wanted, commit: string): Promise<readonly string[] | undefined> {
  const present = await repository.listSnapshot(commit);
  if (present.size === 0) return undefined;
  const files = await repository.readTree(commit);
  const isPresent = async (path: string) => {
    const file = files?.get(path);
    return file === undefined ? present.has(path) : repository.hasFile(commit, file);
  };
  const unreadable: string[] = [];
  const available = {
    has: (path: string) => files?.has(path) ?? present.has(path),
    read(path: string): Promise<string> {
      if (!present.has(path)) unreadable.push(path);
      return readFile(join(repository.snapshot(commit), path), "utf8");
    },
  };
  try {
    const missing: string[] = [];
    for (const path of await select(repository.name, available)) if (!(await isPresent(path))) missing.push(path);
    return missing;
  } catch (thrown) {
    if (unreadable.length > 0) return unreadable;
    throw thrown;
  }
}

/** Waits for a write that only later calls use: a cache that can't be written still has its models. */
async function attemptWrite(write: Promise<void>): Promise<void> {
  await write.catch((thrown: unknown) => {
    if (thrown instanceof T5Error) throw thrown;
  });
}
