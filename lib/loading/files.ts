// The files of a directory that nobody has vouched for, as downloads are: each is found inside the directory, and is
// small before it is read as JSON.
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import { T5Error } from "../util/errors.js";
import { corrupt, parseJson } from "../util/json.js";
import { refused } from "../util/validation.js";

/** A config.json takes kilobytes, the index of the largest T5 a tenth of a megabyte. */
const MAX_JSON_BYTES = 4 * 2 ** 20;
const MAX_JSON_DEPTH = 32;
const ABSENT = ["ENOENT", "ENOTDIR", "ENAMETOOLONG"] as const;
/** A folder of Hugging Face's cache for one model: its blobs/, and snapshots/ of links to them. */
const CACHED_MODEL = /^models--/;
const SNAPSHOTS = "snapshots";
const BLOBS = "blobs";

/**
 * The real path of a file; undefined where there is none. A symbolic link may lead to a file inside the directory, or from
 * a snapshot of Hugging Face's cache to a blob of the same model or of the whole cache. Rejects with ERR_MODEL_CORRUPT
 * for any other, and for what isn't a regular file.
 */
export async function findFile(directory: string, name: string): Promise<string | undefined> {
  const path = join(directory, name);
  let target: string;
  try {
    target = await realpath(path);
  } catch (cause) {
    if (ABSENT.some((code) => isCode(cause, code))) return undefined;
    throw unreadable(name, cause);
  }
  const root = await realpath(directory);
  if (!isBelow(root, target) && !isCachedBlob(root, target)) {
    throw refused("a file inside the directory", name, `a link to ${JSON.stringify(target)}`, "ERR_MODEL_CORRUPT");
  }
  const found = await stat(target);
  if (!found.isFile()) throw refused("a regular file", name, "something else", "ERR_MODEL_CORRUPT");
  return target;
}

/**
 * The real path of a folder inside the directory; undefined where there is none. Rejects with ERR_MODEL_CORRUPT for a
 * link that leads out of the directory, and for what isn't a folder.
 */
export async function findFolder(directory: string, name: string): Promise<string | undefined> {
  const root = await realpath(directory);
  const target = await realpath(join(directory, name)).catch((cause: unknown) => {
    if (ABSENT.some((code) => isCode(cause, code))) return undefined;
    throw unreadable(name, cause);
  });
  if (target === undefined) return undefined;
  if (target !== root && !isBelow(root, target)) {
    throw refused("a folder inside the directory", name, `a link to ${JSON.stringify(target)}`, "ERR_MODEL_CORRUPT");
  }
  if (!(await stat(target)).isDirectory()) throw refused("a folder", name, "something else", "ERR_MODEL_CORRUPT");
  return target;
}

/** The value of a JSON file; undefined where there is none. Rejects with ERR_MODEL_CORRUPT. */
export async function readJsonFile(directory: string, name: string): Promise<unknown> {
  const path = await findFile(directory, name);
  if (path === undefined) return undefined;
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (cause) {
    throw unreadable(name, cause);
  }
  try {
    const { size } = await file.stat();
    if (size > MAX_JSON_BYTES) throw corrupt(`at most ${MAX_JSON_BYTES} bytes`, `the size of ${name}`, size);
    return parseJson(await file.readFile("utf8"), name, MAX_JSON_DEPTH);
  } finally {
    await file.close();
  }
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && !way.startsWith(`..${sep}`) && way !== ".." && !isAbsolute(way);
}

/**
 * Whether `root` is a snapshot in Hugging Face's cache, or below one, and `target` a blob of its model, or one of those
 * that the cache's models share.
 */
function isCachedBlob(root: string, target: string): boolean {
  for (let folder = root; folder !== dirname(folder); folder = dirname(folder)) {
    const above = dirname(folder);
    if (basename(folder) === SNAPSHOTS && CACHED_MODEL.test(basename(above))) {
      return [above, dirname(above)].some((owner) => isBelow(join(owner, BLOBS), target));
    }
  }
  return false;
}

function isCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}

function unreadable(name: string, cause: unknown): T5Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new T5Error("ERR_MODEL_CORRUPT", `Expected a readable file for ${name} but received: ${reason}`, { cause });
}
