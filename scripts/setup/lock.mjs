// The lock of set-up: one process at a time sets up in a folder, others wait, and the lock of a dead process is free.
//
// The lock is a folder with one file, whose name identifies the owner: `lock/<pid>-<start time>-<place>-<random>`. It
// never has two owners, because each step is atomic on every platform, and none needs hard links:
// - To acquire it, a process makes a folder under a unique name, with its file in it, and renames the folder to `lock`.
//   The rename fails while `lock` has a file, so a lock always has the name of its owner.
// - To free it, the owner, or a process that found the owner dead, deletes the file. Its name is never used again, so
//   this can't delete the file of a later owner.
// - Then it deletes the folder, which fails unless the folder is empty.
// Machines and containers may share the folder, and can't look for each other's processes. So the owner renews the time
// of its file, and an owner of another place counts as dead once that time stands still.
import { spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process, { env, kill, platform, stderr } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { state } from "./paths.mjs";

const POLL_MS = 500;
const RETRY_MS = 10;
const RENEWAL_MS = 5000;
/** An owner of another place whose time stands still for this long is dead. No step of set-up blocks it for as long. */
const STALE_MS = 300_000;
/** The maximum number of failed attempts in a row that find no owner. Other processes explain some, but not as many. */
const MAX_UNEXPLAINED_FAILURES = 200;
/** The prefix of a folder that is to be renamed to `lock`. The name of its owner follows. */
const CANDIDATE_PREFIX = "lock-";

let held;

/** Waits until no other live process holds the lock of `directory`, then holds it until `releaseLock` or exit. */
export async function acquireLock({ directory = state, pollMs = POLL_MS, staleMs = STALE_MS } = {}) {
  mkdirSync(directory, { recursive: true });
  const folder = join(directory, "lock");
  const owner = [process.pid, startTime(process.pid) ?? "unknown", place(), randomUUID()].join("-");
  let announced;
  const seen = { state: "", since: 0 };
  for (let failures = 0; ; ) {
    const error = tryRename(directory, folder, owner);
    if (error === undefined) break;
    const other = findOwner(folder);
    if (other === undefined && ++failures > MAX_UNEXPLAINED_FAILURES) throw error;
    if (other !== undefined) failures = 0;
    if (other === undefined || (isElsewhere(other) ? standsStill(folder, other, seen, staleMs) : !isAlive(other))) {
      free(folder, other);
      await sleep(RETRY_MS * Math.random());
      continue;
    }
    if (announced !== other) {
      const path = join(folder, other);
      const where = isElsewhere(other) ? " on another machine or in another container" : "";
      stderr.write(
        `Another set-up (process ${pidOf(other)}${where}) is running: waiting for it. If it is not, delete ${path}\n`,
      );
    }
    announced = other;
    await sleep(pollMs);
  }
  const renewal = setInterval(() => renew(join(folder, owner)), RENEWAL_MS);
  renewal.unref();
  held = { folder, owner, renewal };
  process.once("exit", releaseLock);
  removeLeftovers(directory);
}

/** Frees the lock, if this process holds it. */
export function releaseLock() {
  if (held === undefined) return;
  clearInterval(held.renewal);
  free(held.folder, held.owner);
  held = undefined;
  process.off("exit", releaseLock);
}

/** Makes `folder` with the owner's file in it, atomically. Returns the error if `folder` can't be made. */
function tryRename(directory, folder, owner) {
  const candidate = join(directory, CANDIDATE_PREFIX + owner);
  mkdirSync(candidate);
  writeFileSync(join(candidate, owner), "");
  try {
    renameSync(candidate, folder);
    return undefined;
  } catch (error) {
    rmSync(candidate, { recursive: true, force: true });
    return error;
  }
}

/** The name of the file in the folder of the lock, or undefined if there is none. */
function findOwner(folder) {
  try {
    return readdirSync(folder)[0];
  } catch (error) {
    // The path is a file, which is not a lock.
    if (error.code === "ENOTDIR") ignore(["ENOENT", "EISDIR", "EPERM"], () => unlinkSync(folder));
    return undefined;
  }
}

/** Deletes the owner's file, and the folder if it is empty then. */
function free(folder, owner) {
  // Recursive, because other programs may have put a folder there.
  if (owner !== undefined) rmSync(join(folder, owner), { recursive: true, force: true });
  // On Windows, it fails with EPERM or EBUSY while another process lists the folder.
  ignore(["ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST", "EPERM", "EBUSY"], () => rmdirSync(folder));
}

function ignore(codes, action) {
  try {
    action();
  } catch (error) {
    if (!codes.includes(error.code)) throw error;
  }
}

/** Shows processes of other places that the owner lives. */
function renew(file) {
  const now = new Date();
  // The user may have deleted it.
  ignore(["ENOENT", "ENOTDIR"], () => utimesSync(file, now, now));
}

/** Whether the time of an owner's file has not changed for `staleMs`, by this process's own clock. Updates `seen`. */
function standsStill(folder, owner, seen, staleMs) {
  let time = 0;
  ignore(["ENOENT", "ENOTDIR"], () => {
    time = statSync(join(folder, owner)).mtimeMs;
  });
  const current = `${owner} ${time}`;
  if (seen.state !== current) Object.assign(seen, { state: current, since: performance.now() });
  return performance.now() - seen.since >= staleMs;
}

/** Deletes the folders of processes that were killed before they renamed them to `lock`. */
function removeLeftovers(directory) {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(CANDIDATE_PREFIX)) continue;
    const owner = name.slice(CANDIDATE_PREFIX.length);
    if (!isElsewhere(owner) && !isAlive(owner)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

const pidOf = (owner) => Number(owner.split("-")[0]);

/** The machine, and on Linux the namespace of its process ids, as a container has its own: 12 hexadecimal digits. */
function place() {
  let namespace = "";
  if (platform === "linux") {
    ignore(["ENOENT", "EACCES"], () => {
      namespace = readlinkSync("/proc/self/ns/pid");
    });
  }
  return createHash("sha256").update(`${hostname()} ${namespace}`).digest("hex").slice(0, 12);
}

/** Whether an owner is of another place. Names without a place, of earlier versions, count as of this one. */
function isElsewhere(owner) {
  const [, , recorded = ""] = owner.split("-");
  return /^[0-9a-f]{12}$/.test(recorded) && recorded !== place();
}

/** Whether an owner of this place still runs. Its start time is compared too, because another process may have got its pid. */
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

/** The start time of a process in a unit of the platform, "ended" for a zombie, or undefined if it is unknown. */
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
    // The second field, the program's name in parentheses, may contain spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [status, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").replaceAll("-", "").trim();
    // Field 22 of proc(5): ticks since boot. They are unique only together with the id of the boot.
    return status === "Z" ? "ended" : `${boot}.${fields[18]}`;
  } catch {
    return undefined;
  }
}
