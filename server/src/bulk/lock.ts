// The lock of a file that `enqueue` writes: one process at a time writes it, and the lock of a process that has ended is free.
//
// The lock is a folder beside the file with one file in it, whose name no other owner has. A process makes such a folder
// under another name and renames it, which fails while the lock has an owner. To free it, the owner, or who found the owner
// dead, deletes the file by its name, which can't be the file of a later owner; then the folder, if it is empty.
//
// The owner writes its file again and again. Of a process on another host or in another container nothing else is known:
// it is dead if it has not done so for a while.
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, realpath, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
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
  /** Rejects if another process has taken the lock, as it may after this one has been stopped for a while. */
  check(): Promise<void>;
  release(): Promise<void>;
}

/** How often the owner writes its file, in ms. */
const HEARTBEAT_MS = 10_000;
/** The age of the file, in ms, from which on the lock of an unknown process is free. */
const STALE_MS = 60_000;
/** How often a lock is taken whose owner has just changed. */
const ATTEMPTS = 30;
const OCCUPIED = ["ENOTEMPTY", "EEXIST", "ENOTDIR", "EPERM"];
const NAME = "--output or --errors";

/** Locks the files. Rejects with ERR_INVALID_ARGUMENT if another process writes one of them, or where no lock can be. */
export async function lockFiles(paths: readonly string[], heartbeatMs = HEARTBEAT_MS): Promise<FileLock> {
  const locks: FileLock[] = [];
  const release = async () => {
    for (const lock of locks.splice(0).reverse()) await lock.release();
  };
  const check = async () => {
    for (const lock of locks) await lock.check();
  };
  try {
    // In one order, so that of two processes one gets all.
    const real = await Promise.all(paths.map((path) => realpath(path).catch(() => path)));
    for (const path of [...new Set(real)].sort()) locks.push(await lockFile(path, heartbeatMs));
  } catch (error) {
    await release();
    throw error;
  }
  return { check, release };
}

async function lockFile(path: string, heartbeatMs: number): Promise<FileLock> {
  const folder = `${path}.lock`;
  const name = randomUUID();
  const own = await ownerOf(process.pid);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { isTaken, time } = await take(folder, name, own);
    if (isTaken) return heldLock(path, folder, name, own, heartbeatMs);
    const [other] = await readdir(folder).catch(() => []);
    if (other === undefined) continue;
    const file = join(folder, other);
    const owner = await readOwner(file);
    const age = time - (await timeOf(file).catch(() => time));
    if (!(await hasEnded(owner, own, age))) throw inUse(path, folder, owner);
    await free(folder, other);
  }
  throw inUse(path, folder, undefined);
}

function heldLock(path: string, folder: string, name: string, own: Owner, heartbeatMs: number): FileLock {
  const file = join(folder, name);
  // With this flag, a file that has gone is not made again.
  const beat = () => writeFile(file, JSON.stringify(own), { flag: "r+" }).catch(() => {});
  const timer = setInterval(beat, heartbeatMs).unref();
  return {
    async check() {
      if (existsSync(file)) return;
      const [other = ""] = await readdir(folder).catch(() => []);
      throw inUse(path, folder, await readOwner(join(folder, other)));
    },
    async release() {
      clearInterval(timer);
      await free(folder, name);
    },
  };
}

function inUse(path: string, folder: string, owner: Owner | undefined): ServerError {
  const who = owner === undefined ? "an unknown process" : `process ${owner.pid} on ${owner.host}`;
  const after = `it is free ${STALE_MS / 1000} seconds after that process has ended, or without ${folder}`;
  return new ServerError(
    "ERR_INVALID_ARGUMENT",
    `Expected a file that no other enqueue writes for ${NAME} but received ${path}, of which ${who} has the lock; ${after}`,
  );
}

/** When a file was written, in ms, by the clock of its file system. */
async function timeOf(file: string): Promise<number> {
  return (await stat(file)).mtimeMs;
}

/** Whether this process has the lock now, and the time. */
async function take(
  folder: string,
  name: string,
  owner: Owner,
): Promise<{ readonly isTaken: boolean; readonly time: number }> {
  const candidate = `${folder}-${name}`;
  let time: number;
  try {
    await mkdir(candidate);
    await writeFile(join(candidate, name), JSON.stringify(owner));
    time = await timeOf(join(candidate, name));
  } catch (cause) {
    await rm(candidate, { recursive: true, force: true }).catch(() => {}); // it may not be there
    throw expected("a file in a folder that can be written", NAME, (cause as Error).message);
  }
  try {
    await rename(candidate, folder);
    return { isTaken: true, time };
  } catch (error) {
    await rm(candidate, { recursive: true, force: true });
    if (OCCUPIED.includes((error as NodeJS.ErrnoException).code ?? "")) return { isTaken: false, time };
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

/** Whether an owner has ended, whose file has an age in ms. */
async function hasEnded(owner: Owner | undefined, own: Owner, age: number): Promise<boolean> {
  if (owner?.host !== own.host || owner.namespace !== own.namespace) return age > STALE_MS;
  const { pid, started } = owner;
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
