// Stamps: which step was done with which inputs. A step runs again only when its inputs change.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root, state } from "./paths.mjs";

/** The SHA-256 of strings and of files, in hex. Paths are relative to the repository; a folder means all of its files. */
export function fingerprint({ values = [], files = [] }) {
  const hash = createHash("sha256");
  for (const value of values) hash.update(`${value}\0`);
  for (const file of files.flatMap((name) => listFiles(join(root, name)))) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  }
  return hash.digest("hex");
}

function listFiles(path) {
  if (!existsSync(path)) return [];
  const entries = readdirSyncOrUndefined(path);
  if (!entries) return [path];
  return entries
    .filter((entry) => entry.name !== "__pycache__")
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => listFiles(join(path, entry.name)));
}

function readdirSyncOrUndefined(path) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOTDIR") return undefined;
    throw error;
  }
}

const stampPath = (step) => join(state, `${step}.done`);

/** Whether the step was done with these inputs. */
export function isDone(step, inputs) {
  return existsSync(stampPath(step)) && readFileSync(stampPath(step), "utf8") === inputs;
}

/** Marks the step as not done: if it is interrupted, it runs again. */
export function markPending(step) {
  rmSync(stampPath(step), { force: true });
}

/** Marks the step as done with these inputs. */
export function markDone(step, inputs) {
  mkdirSync(state, { recursive: true });
  const temporary = `${stampPath(step)}.tmp`;
  writeFileSync(temporary, inputs);
  renameSync(temporary, stampPath(step));
}
