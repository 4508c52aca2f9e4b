// Brings the files of a directory into the page cache.
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

const BLOCK = Buffer.alloc(2 ** 24);

/** Reads every file below a directory. */
export function readFiles(directory) {
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = openSync(join(entry.parentPath ?? entry.path, entry.name), "r");
    while (readSync(file, BLOCK) > 0);
    closeSync(file);
  }
}
