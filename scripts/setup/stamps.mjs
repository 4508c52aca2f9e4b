// Remembers which step was done with which inputs, so that a step runs once and again only when its inputs change.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { root, state } from "./paths.mjs";

/** SHA-256 over strings and over the contents of files and folders (paths relative to the repository). */
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
const startedPath = (step) => join(state, `${step}.started`);

/** Whether the step ended well with these inputs. */
export function isDone(step, inputs) {
  return existsSync(stampPath(step)) && readFileSync(stampPath(step), "utf8") === inputs;
}

/** Marks the step as begun: its old stamp no longer counts. */
export function markStarted(step) {
  mkdirSync(state, { recursive: true });
  rmSync(stampPath(step), { force: true });
  writeFileSync(startedPath(step), "");
}

/** Marks the step as done with these inputs. */
export function markDone(step, inputs) {
  const temporary = `${stampPath(step)}.tmp`;
  writeFileSync(temporary, inputs);
  renameSync(temporary, stampPath(step));
  rmSync(startedPath(step), { force: true });
}
