// One set-up at a time in one place: a second one waits for the first, and a dead one's lock is taken over.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process, { kill, pid, stderr } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { state } from "./paths.mjs";

const POLL_MS = 500;
const path = join(state, "lock");

/** Waits until no other live process sets up the same place, then holds it until the process ends. */
export async function acquireLock() {
  mkdirSync(state, { recursive: true });
  for (let told = false; ; told = true) {
    try {
      writeFileSync(path, String(pid), { flag: "wx" });
      process.once("exit", releaseLock);
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const owner = readOwner();
    if (owner === undefined || !isAlive(owner)) rmSync(path, { force: true });
    else {
      if (!told) stderr.write(`Another set-up (process ${owner}) is running here: waiting for it.\n`);
      await sleep(POLL_MS);
    }
  }
}

/** Gives the place back; called on exit as well. */
export function releaseLock() {
  if (readOwner() === pid) rmSync(path, { force: true });
}

function readOwner() {
  try {
    const owner = Number(readFileSync(path, "utf8"));
    return Number.isInteger(owner) && owner > 0 ? owner : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(owner) {
  try {
    kill(owner, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
