// One set-up at a time in one folder: a second one waits, and the lock of a dead process is taken over.
//
// The lock is a folder with one file in it, whose name identifies the owner: `lock/<pid>-<start time>-<random>`. Three
// operations, each atomic on every platform, keep it to one owner:
// - Acquire: fill a folder under a name of its own, then rename it to `lock`. The rename fails while `lock` has a file
//   in it, so a lock never exists without the name of its owner.
// - Free a lock, whether one's own or that of a dead process: delete the file by name. A name is never used twice, so
//   a process that judged an owner dead can't delete the file of a later owner.
// - Delete the folder, which fails unless it is empty.
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process, { env, kill, platform, stderr } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { state } from "./paths.mjs";

const POLL_MS = 500;
const RETRY_MS = 10;
/** Attempts that fail although no lock can be seen: more than a lock that others take and free at once explains. */
const MAX_UNEXPLAINED_FAILURES = 200;
/** How the name of a folder begins that waits to be renamed to `lock`. */
const UNNAMED = "lock-";

let held;

/** Waits until no other live process holds the lock of `directory`, then holds it until `releaseLock` or exit. */
export async function acquireLock({ directory = state, pollMs = POLL_MS } = {}) {
  mkdirSync(directory, { recursive: true });
  const folder = join(directory, "lock");
  const owner = [process.pid, startTime(process.pid) ?? "unknown", randomUUID()].join("-");
  let announced;
  for (let failures = 0; ; ) {
    const error = tryRename(directory, folder, owner);
    if (error === undefined) break;
    const other = findOwner(folder);
    if (other === undefined && ++failures > MAX_UNEXPLAINED_FAILURES) throw error;
    if (other !== undefined) failures = 0;
    if (other === undefined || !isAlive(other)) {
      free(folder, other);
      await sleep(RETRY_MS * Math.random());
      continue;
    }
    if (announced !== other)
      stderr.write(`Another set-up (process ${pidOf(other)}) is running here: waiting for it.\n`);
    announced = other;
    await sleep(pollMs);
  }
  held = { folder, owner };
  process.once("exit", releaseLock);
  removeLeftovers(directory);
}

/** Frees the lock, if this process holds it. */
export function releaseLock() {
  if (held === undefined) return;
  free(held.folder, held.owner);
  held = undefined;
  process.off("exit", releaseLock);
}

/** Makes `folder` with the owner's file in it, at once. Returns the error where that failed. */
function tryRename(directory, folder, owner) {
  const own = join(directory, UNNAMED + owner);
  mkdirSync(own);
  writeFileSync(join(own, owner), "");
  try {
    renameSync(own, folder);
    return undefined;
  } catch (error) {
    unlinkSync(join(own, owner));
    rmdirSync(own);
    return error;
  }
}

/** The name of the file in the lock's folder, or undefined where there is none. */
function findOwner(folder) {
  try {
    return readdirSync(folder)[0];
  } catch (error) {
    // Not a folder: no lock, but a file of another origin in its place.
    if (error.code === "ENOTDIR") ignore(["ENOENT", "EISDIR", "EPERM"], () => unlinkSync(folder));
    return undefined;
  }
}

function free(folder, owner) {
  if (owner !== undefined) ignore(["ENOENT"], () => unlinkSync(join(folder, owner)));
  // Windows refuses with EPERM or EBUSY while another process lists the folder.
  ignore(["ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST", "EPERM", "EBUSY"], () => rmdirSync(folder));
}

function ignore(codes, action) {
  try {
    action();
  } catch (error) {
    if (!codes.includes(error.code)) throw error;
  }
}

/** Deletes the folders of processes that were killed before they could rename theirs. */
function removeLeftovers(directory) {
  for (const name of readdirSync(directory)) {
    const isLeftover = name.startsWith(UNNAMED) && !isAlive(name.slice(UNNAMED.length));
    if (isLeftover) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

const pidOf = (owner) => Number(owner.split("-")[0]);

/** Whether the process that made an owner's file still runs: its pid may belong to another process by now. */
function isAlive(owner) {
  const pid = pidOf(owner);
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    kill(pid, 0);
  } catch (error) {
    if (error.code !== "EPERM") return false;
  }
  const recorded = owner.split("-")[1];
  const current = startTime(pid);
  return current === undefined || recorded === "unknown" || recorded === current;
}

/** When a process started, in the system's own unit; "ended" for a zombie, undefined where that can't be found out. */
function startTime(pid) {
  if (platform === "linux") return linuxStartTime(pid);
  const [program, args] =
    platform === "win32"
      ? ["powershell", ["-NoProfile", "-Command", `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`]]
      : ["ps", ["-o", "lstart=", "-p", String(pid)]];
  const fixed = { ...env, LC_ALL: "C", TZ: "UTC" };
  const { stdout } = spawnSync(program, args, { encoding: "utf8", env: fixed, windowsHide: true });
  const text = (stdout ?? "").trim();
  const time = platform === "win32" ? text : String(Date.parse(`${text} UTC`));
  return /^\d+$/.test(time) ? time : undefined;
}

function linuxStartTime(pid) {
  try {
    // The second field, the program's name in parentheses, may hold spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [status, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").replaceAll("-", "").trim();
    // Field 22 of proc(5): ticks since boot.
    return status === "Z" ? "ended" : `${boot}.${fields[18]}`;
  } catch {
    return undefined;
  }
}
