// Contents that several models of the cache share: huggingface_hub keeps them once, in `blobs/<2 digits>/<hash>` of the
// cache, with a list of the models that refer to them, `<hash>.refs`. A model's blob is then a link to one.
import { lstat, readFile, readlink, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

const HASH = /^[0-9a-f]{64}$/;

/** The shared content that a blob of a model refers to; undefined for any other file. */
export async function sharedBlobOf(cacheDir: string, blob: string): Promise<string | undefined> {
  const target = await readlink(blob).catch(() => undefined);
  if (target === undefined) return undefined;
  const path = resolve(dirname(blob), target);
  const hash = basename(path);
  return HASH.test(hash) && path === join(cacheDir, "blobs", hash.slice(0, 2), hash) ? path : undefined;
}

/**
 * Deletes a shared content unless a model that is still in the cache refers to it. Resolves to the number of bytes that
 * this freed. Without a list of the models that refer to it, it stays.
 */
export async function sweepSharedBlob(cacheDir: string, path: string): Promise<number> {
  const list = `${path}.refs`;
  const references = await readFile(list, "utf8").catch(() => undefined);
  if (references === undefined) return 0;
  const folders = references.split("\n").flatMap((line) => (line === "" ? [] : (line.split(/[/\\]/, 1)[0] ?? [])));
  // Also that of a model to which Python is adding the content now: its folder and the list come first.
  for (const folder of folders) if (await exists(join(cacheDir, folder))) return 0;
  const found = await lstat(path).catch(() => undefined);
  if (found?.isFile() !== true) return 0;
  await rm(path, { force: true });
  await rm(list, { force: true });
  return found.size;
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}
