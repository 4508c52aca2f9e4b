// The lock of a file that `enqueue` writes: one process at a time writes it, and the lock of a process that has ended is free.
//
// The lock is a folder beside the file with one file in it, whose name no other owner has. A process makes such a folder
// under another name and renames it, which fails while the lock has an owner. To free it, the owner, or who found the owner
// dead, deletes the file by its name, which can't be the file of a later owner; then the folder, if it is empty.
import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, readlink, realpath, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { expected, ServerError } from "../errors/server-error.js";

/** Who has a lock. */
interface Owner {
  readonly host: string;
  /** The namespace in which the process id is valid: containers on one host have several. */
  readonly namespace: string;
  readonly pid: number;
  /** When the process started, in a unit of the system; another process may get its id later. */
  readonly started: string;
}

/** A lock that this process has. */
export interface FileLock {
  release(): Promise<void>;
}

/** How often a lock is taken whose owner has just changed. */
const ATTEMPTS = 100;
const OCCUPIED = ["ENOTEMPTY", "EEXIST", "ENOTDIR", "EPERM"];
const NAME = "--output or --errors";

/** Locks the files. Rejects with ERR_INVALID_ARGUMENT if another process writes one of them, or where no lock can be. */
export async function lockFiles(paths: readonly string[]): Promise<FileLock> {
  const locks: FileLock[] = [];
  const release = async () => {
    for (const lock of locks.splice(0).reverse()) await lock.release();
  };
  try {
    // In one order, so that of two processes one gets all.
    const real = await Promise.all(paths.map((path) => realpath(path).catch(() => path)));
    for (const path of [...new Set(real)].sort()) locks.push(await lockFile(path));
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

async function lockFile(path: string): Promise<FileLock> {
  const folder = `${path}.lock`;
  const name = randomUUID();
  const own = await ownerOf(process.pid);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await take(folder, name, own)) return { release: () => free(folder, name) };
    const [other] = await readdir(folder).catch(() => []);
    if (other === undefined) continue;
    const owner = await readOwner(join(folder, other));
    if (owner === undefined || !(await hasEnded(owner, own))) throw inUse(path, folder, owner);
    await free(folder, other);
  }
  throw inUse(path, folder, undefined);
}

function inUse(path: string, folder: string, owner: Owner | undefined): ServerError {
  const who = owner === undefined ? "an unknown process" : `process ${owner.pid} on ${owner.host}`;
  const received = `${path}, of which ${who} has the lock; if it has ended, delete ${folder}`;
  return new ServerError(
    "ERR_INVALID_ARGUMENT",
    `Expected a file that no other enqueue writes for ${NAME} but received ${received}`,
  );
}

/** Whether this process has the lock now. */
async function take(folder: string, name: string, owner: Owner): Promise<boolean> {
  const candidate = `${folder}-${name}`;
  try {
    await mkdir(candidate);
    await writeFile(join(candidate, name), JSON.stringify(owner));
  } catch (cause) {
    await rm(candidate, { recursive: true, force: true }).catch(() => {}); // it may not be there
    throw expected("a file in a folder that can be written", NAME, (cause as Error).message);
  }
  try {
    await rename(candidate, folder);
    return true;
  } catch (error) {
    await rm(candidate, { recursive: true, force: true });
    if (OCCUPIED.includes((error as NodeJS.ErrnoException).code ?? "")) return false;
    throw error;
  }
}

async function free(folder: string, name: string): Promise<void> {
  await rm(join(folder, name), { force: true });
  await rmdir(folder).catch(() => {}); // another process has it already
}

/** Undefined for a file that is no owner, or has gone. */
async function readOwner(path: string): Promise<Owner | undefined> {
  try {
    const { host, namespace, pid, started } = JSON.parse(await readFile(path, "utf8")) as Partial<Owner>;
    const texts = [host, namespace, started];
    if (!Number.isInteger(pid) || !texts.every((each) => typeof each === "string")) return undefined;
    return { host, namespace, pid, started } as Owner;
  } catch {
    return undefined;
  }
}

/** Whether a process is known to have ended. Of another host or container, that is not known. */
async function hasEnded({ host, namespace, pid, started }: Owner, own: Owner): Promise<boolean> {
  if (host !== own.host || namespace !== own.namespace) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "EPERM";
  }
  return (await ownerOf(pid)).started !== started;
}

async function ownerOf(pid: number): Promise<Owner> {
  const namespace = await readlink("/proc/self/ns/pid").catch(() => "");
  return { host: hostname(), namespace, pid, started: await startOf(pid) };
}

/** Field 22 of Linux' proc(5), which counts from the boot, with the boot's id; empty on other systems. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field, the program's name in parentheses, may contain spaces and parentheses.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z") return ""; // it has ended, and its parent has not noticed
    const ticks = fields[18];
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    return `${boot} ${ticks}`;
  } catch {
    return "";
  }
}
