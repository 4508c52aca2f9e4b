// A lock that one process at a time holds while it downloads a file; the others wait for it, then find the file.
//
// The lock only saves downloads: files become part of the cache by a rename, whole and verified, so the cache is right
// even if two processes believe that they hold it. It is a file with the name of its owner, whose time is renewed while
// the owner lives. It is free when its owner has deleted it, when the owner is known to be dead, or when its time stands
// still. (huggingface_hub locks with flock(2), which Node.js lacks. Its processes and these don't wait for each other.)
import { randomUUID } from "node:crypto";
import { readlinkSync } from "node:fs";
import { open, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import process, { kill, pid } from "node:process";

const POLL_MS = 100;
const RENEWAL_MS = 2000;
/** A lock whose time stands still for this long, 30 s, is free: an owner renews it, unless its event loop is blocked. */
const STALE_POLLS = 300;

/**
 * Waits until no other process holds the lock, then runs `use` and frees it. `use` may find the work done. `sleep` is
 * called between two looks, and ends the waiting where it rejects.
 */
export async function withLock<Result>(
  path: string,
  sleep: (ms: number) => Promise<void>,
  use: () => Promise<Result>,
): Promise<Result> {
  const owner = `${place()} ${pid} ${randomUUID()}`;
  await acquire(path, owner, sleep);
  const renewal = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, RENEWAL_MS);
  renewal.unref();
  try {
    return await use();
  } finally {
    clearInterval(renewal);
    if ((await ownerOf(path)) === owner) await rm(path, { force: true });
  }
}

async function acquire(path: string, owner: string, sleep: (ms: number) => Promise<void>): Promise<void> {
  let seen = { state: "", polls: 0 };
  while (!(await tryCreate(path, owner))) {
    const other = await ownerOf(path);
    const time = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    );
    // It was freed in between.
    if (other === undefined || time === undefined) continue;
    const state = `${other} ${time}`;
    seen = { state, polls: seen.state === state ? seen.polls + 1 : 0 };
    if (isDead(other) || seen.polls > STALE_POLLS) {
      await discard(path);
      continue;
    }
    await sleep(POLL_MS);
  }
}

async function tryCreate(path: string, owner: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    try {
      await file.writeFile(owner);
    } finally {
      await file.close();
    }
    return true;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EEXIST") return false;
    throw thrown;
  }
}

/** The rename makes sure that only one of several processes takes a lock away. */
async function discard(path: string): Promise<void> {
  const discarded = `${path}.${randomUUID().slice(0, 8)}`;
  await rename(path, discarded).catch(() => {});
  await rm(discarded, { force: true });
}

async function ownerOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

/** Whether an owner's process is known to have ended. Processes of other machines and containers can't be known. */
function isDead(owner: string): boolean {
  const [where, process] = owner.split(" ");
  if (where !== place() || !/^\d+$/.test(process ?? "")) return false;
  try {
    kill(Number(process), 0);
    return false;
  } catch (thrown) {
    return !(thrown instanceof Error && "code" in thrown && thrown.code === "EPERM");
  }
}

/** The machine, and on Linux the namespace of its process ids: a container has its own. */
function place(): string {
  let namespace = "";
  if (process.platform === "linux") {
    try {
      namespace = readlinkSync("/proc/self/ns/pid");
    } catch {
      // Without /proc, the machine's name has to do.
    }
  }
  return `${hostname()}/${namespace}`;
}
