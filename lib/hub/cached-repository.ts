// A model in Hugging Face's cache: `models--organization--name/{blobs,refs,snapshots,trees}`, as huggingface_hub writes
// and reads it (https://huggingface.co/docs/huggingface_hub/guides/manage-cache).
import { randomUUID } from "node:crypto";
import {
  constants,
  copyFile,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { T5Error } from "../util/errors.js";
import { isRecord } from "../util/validation.js";
import { etagOf, makeFile, type RepositoryFile, type RepositoryFiles } from "./repository.js";
import { isCommit } from "./revision.js";

const TREE_FORMAT = 1;
/** As huggingface_hub writes it, so that programs for backups skip the cache (https://bford.info/cachedir/). */
const CACHE_TAG =
  "Signature: 8a477f597d28d172789f06886806bc55\n# This file marks a cache of models of Hugging Face's hub.\n";

/** The folder of a model's name in the cache. */
export function folderName(name: string): string {
  return `models--${name.replace("/", "--")}`;
}

export class CachedRepository {
  readonly cacheDir: string;
  readonly name: string;
  readonly folder: string;

  constructor(cacheDir: string, name: string) {
    this.cacheDir = cacheDir;
    this.name = name;
    this.folder = join(cacheDir, folderName(name));
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  blob(file: RepositoryFile): string {
    return join(this.folder, "blobs", etagOf(file));
  }

  /** The part of a file that is there while it is downloaded. */
  incomplete(file: RepositoryFile): string {
    return `${this.blob(file)}.torch-t5.incomplete`;
  }

  /** The file that is locked while a file is downloaded. */
  lock(file: RepositoryFile): string {
    return join(this.cacheDir, ".locks", folderName(this.name), `${etagOf(file)}.torch-t5.lock`);
  }

  /** The commit that a branch or tag stood for when it was last asked for. */
  async readRef(revision: string): Promise<string | undefined> {
    const text = await readFile(join(this.folder, "refs", revision), "utf8").catch(() => "");
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.readRef(revision)) === commit) return;
    const path = join(this.folder, "refs", revision);
    await this.makeDirectory(dirname(path));
    await replaceFile(path, (temporary) => writeFile(temporary, commit, { flag: "wx" }));
  }

  /** The files of a commit as they were listed before, here or by huggingface_hub. */
  async readTree(commit: string): Promise<RepositoryFiles | undefined> {
    const text = await readFile(this.#tree(commit), "utf8").catch(() => "");
    return parseTree(text);
  }

  async writeTree(commit: string, files: RepositoryFiles): Promise<void> {
    const entries = [...files.values()].map(({ path, bytes, blobId, sha256, xetHash }) => {
      const lfs = sha256 === undefined ? {} : { lfs_sha256: sha256, lfs_size: bytes };
      return [path, { size: bytes, blob_id: blobId, ...lfs, ...(xetHash !== undefined && { xet_hash: xetHash }) }];
    });
    const text = JSON.stringify({ format_version: TREE_FORMAT, files: Object.fromEntries(entries) }, undefined, 1);
    const path = this.#tree(commit);
    await this.makeDirectory(dirname(path));
    await replaceFile(path, (temporary) => writeFile(temporary, text, { flag: "wx" }));
  }

  /** The paths of the files in the snapshot of a commit; of a link to nothing none. */
  async listSnapshot(commit: string): Promise<ReadonlySet<string>> {
    const folder = this.snapshot(commit);
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    const found = await Promise.all(names.map(async (name) => ((await isFile(join(folder, name))) ? [name] : [])));
    return new Set(found.flat().map((name) => name.replaceAll(sep, "/")));
  }

  /** Whether the snapshot of a commit has a file with the right size. */
  async hasFile(commit: string, file: RepositoryFile): Promise<boolean> {
    return isFile(join(this.snapshot(commit), file.path), file.bytes);
  }

  /** Whether the content of a file is in the cache. */
  async hasBlob(file: RepositoryFile): Promise<boolean> {
    return isFile(this.blob(file), file.bytes);
  }

  /** Makes the content of a file, which is in the cache, a file of the snapshot of a commit. */
  async link(commit: string, file: RepositoryFile): Promise<void> {
    const path = join(this.snapshot(commit), file.path);
    const blob = this.blob(file);
    await this.makeDirectory(dirname(path));
    await replaceFile(path, (temporary) =>
      // A file system without symbolic links gets copies, as from huggingface_hub.
      symlink(relative(dirname(path), blob), temporary).catch(() =>
        copyFile(blob, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
      ),
    );
  }

  /**
   * Makes a folder of the cache. Rejects with ERR_DOWNLOAD_FAILED where a symbolic link leads out of the cache: nothing
   * is written there.
   */
  async makeDirectory(path: string): Promise<void> {
    await mkdir(this.cacheDir, { recursive: true });
    const root = await realpath(this.cacheDir);
    // Level by level, because `recursive` would follow a link before it can be checked.
    let current = this.cacheDir;
    for (const part of relative(this.cacheDir, path).split(sep)) {
      current = join(current, part);
      await mkdir(current).catch((thrown: NodeJS.ErrnoException) => {
        if (thrown.code !== "EEXIST") throw thrown;
      });
      const real = await realpath(current);
      if (real !== root && !real.startsWith(root + sep)) {
        const message = `Expected a folder inside the cache for ${JSON.stringify(current)} but received a link to ${JSON.stringify(real)}`;
        throw new T5Error("ERR_DOWNLOAD_FAILED", message);
      }
    }
  }

  /** Marks the cache for programs that make backups. */
  async tagCache(): Promise<void> {
    await writeFile(join(this.cacheDir, "CACHEDIR.TAG"), CACHE_TAG, { flag: "wx" }).catch(() => {});
  }

  #tree(commit: string): string {
    return join(this.folder, "trees", `${commit}.json`);
  }
}

function parseTree(text: string): RepositoryFiles | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value.format_version !== TREE_FORMAT || !isRecord(value.files)) return undefined;
  const files = new Map<string, RepositoryFile>();
  for (const [path, entry] of Object.entries(value.files)) {
    const { size, blob_id, lfs_sha256, lfs_size, xet_hash }: Readonly<Record<string, unknown>> = isRecord(entry)
      ? entry
      : {};
    const sha256 = lfs_sha256 ?? undefined;
    const file = makeFile(path, sha256 === undefined ? size : lfs_size, blob_id, sha256, xet_hash);
    if (file !== undefined) files.set(path, file);
  }
  return files;
}

/** Writes a file, or a link, whole or not at all. `write` gets the path of a new file in the same folder. */
async function replaceFile(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await write(temporary);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function isFile(path: string, bytes?: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && (bytes === undefined || found.size === bytes);
}
