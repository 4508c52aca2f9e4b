// The models in the cache: a list of them with their sizes, and deleting one.
import { lstat, readdir, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { captureCallSite, errorFor, T5Error } from "../util/errors.js";
import { checkOptions, expected, readPath } from "../util/validation.js";
import { folderName } from "./cached-repository.js";
import { cacheError } from "./errors.js";
import { isHubName } from "./name.js";
import { readCacheDir } from "./settings.js";
import { sharedBlobOf, sweepSharedBlob } from "./shared-blobs.js";

/** A model in the cache, whether this package or Python downloaded it. */
export interface CachedModel {
  readonly name: string;
  /** The size of its files on disk. Those that several revisions share count once, those of several models in each. */
  readonly bytes: number;
  /** The branches and tags by which it was downloaded, in alphabetical order. */
  readonly revisions: readonly string[];
  /** The commits that have files in the cache. */
  readonly commits: readonly string[];
  /** The folder in the cache. */
  readonly path: string;
}

/** The options of `cachedModels` and `deleteCachedModel`. */
export interface CacheOptions {
  /** As in `HubOptions`. */
  readonly cacheDir?: string | URL | undefined;
}

const FOLDER = /^models--(.+)$/;

/** The models in the cache, by name. Rejects with ERR_INVALID_ARGUMENT. */
export async function cachedModels(options?: CacheOptions): Promise<readonly CachedModel[]> {
  const site = captureCallSite(cachedModels);
  try {
    const cacheDir = checkCacheDir(options);
    const folders = await readdir(cacheDir).catch(() => []);
    const models = await Promise.all(folders.sort().map((folder) => readModel(cacheDir, folder)));
    return models.flatMap((model) => model ?? []);
  } catch (thrown) {
    throw errorFor(thrown, site);
  }
}

/**
 * Deletes a model, with all of its revisions, from the cache. Resolves to the number of bytes that this freed. Rejects
 * with ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_DOWNLOAD_FAILED where the cache can't be written.
 */
export async function deleteCachedModel(name: string, options?: CacheOptions): Promise<number> {
  const site = captureCallSite(deleteCachedModel);
  try {
    if (typeof name !== "string" || !isHubName(name)) throw expected("a name on the hub", "name", name);
    return await deleteModel(checkCacheDir(options), name);
  } catch (thrown) {
    throw errorFor(thrown, site);
  }
}

function checkCacheDir(options: unknown): string {
  const { cacheDir } = checkOptions(options, "options", ["cacheDir"]);
  return cacheDir === undefined ? readCacheDir() : resolve(readPath(cacheDir, "options.cacheDir"));
}

async function deleteModel(cacheDir: string, name: string): Promise<number> {
  const folder = folderName(name);
  const path = join(cacheDir, folder);
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) {
    const message = `Expected ${JSON.stringify(name)} in the cache ${JSON.stringify(cacheDir)} but found none`;
    throw new T5Error("ERR_MODEL_NOT_FOUND", message);
  }
  try {
    // Of a symbolic link only the link: `rm` follows none.
    if (found.isSymbolicLink()) {
      await rm(path);
      return 0;
    }
    const shared = await sharedBlobsOf(cacheDir, path);
    let bytes = await sizeOf(path);
    await rm(path, { recursive: true, force: true });
    await rm(join(cacheDir, ".locks", folder), { recursive: true, force: true });
    for (const blob of shared) bytes += await sweepSharedBlob(cacheDir, blob);
    return bytes;
  } catch (thrown) {
    throw cacheError(thrown, cacheDir);
  }
}

/** The contents outside of a model's folder that it shares with other models. */
async function sharedBlobsOf(cacheDir: string, path: string): Promise<readonly string[]> {
  const blobs = join(path, "blobs");
  const names = await readdir(blobs).catch(() => []);
  const found = await Promise.all(names.map((name) => sharedBlobOf(cacheDir, join(blobs, name))));
  return found.flatMap((blob) => blob ?? []);
}

async function readModel(cacheDir: string, folder: string): Promise<CachedModel | undefined> {
  const name = FOLDER.exec(folder)?.[1]?.replace("--", "/");
  const path = join(cacheDir, folder);
  if (name === undefined || !isHubName(name) || !(await isDirectory(path))) return undefined;
  const [own, shared, revisions, commits] = await Promise.all([
    sizeOf(path),
    sharedBlobsOf(cacheDir, path).then((blobs) => Promise.all(blobs.map(sizeOfFile))),
    filesBelow(join(path, "refs")),
    readdir(join(path, "snapshots")).catch(() => []),
  ]);
  const bytes = shared.reduce((sum, size) => sum + size, own);
  return Object.freeze({ name, bytes, revisions, commits: commits.sort(), path });
}

/** The bytes of the regular files below a folder. Links, of which snapshots consist, have none. */
async function sizeOf(folder: string): Promise<number> {
  const files = await filesBelow(folder);
  const sizes = await Promise.all(files.map((file) => sizeOfFile(join(folder, file))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function sizeOfFile(path: string): Promise<number> {
  return (await lstat(path).catch(() => undefined))?.size ?? 0;
}

/** The paths of the regular files below a folder, in alphabetical order. */
async function filesBelow(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => ((await lstat(join(folder, name)).catch(() => undefined))?.isFile() ? [name] : [])),
  );
  return found.flat().sort();
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
