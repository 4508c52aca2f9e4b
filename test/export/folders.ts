// A folder of the tests' own, with the checkpoints that they export.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoModel } from "torch-t5";
import { runHelper } from "./exporter.js";

/** A temporary folder with the checkpoints of programs/checkpoints.py. */
export class Folders {
  readonly root = mkdtempSync(join(tmpdir(), "torch-t5-export-"));
  #count = 0;

  /** Writes the checkpoints. */
  async makeCheckpoints(): Promise<void> {
    await runHelper("checkpoints", [this.root, demoModel]);
  }

  /** The path of a checkpoint. */
  checkpoint(name: string): string {
    return join(this.root, name);
  }

  /** A copy of a checkpoint, changed. */
  changed(name: string, change: (directory: string) => void): string {
    const copy = join(this.root, `${name}-${this.#count++}`);
    cpSync(this.checkpoint(name), copy, { recursive: true });
    change(copy);
    return copy;
  }

  /** An empty folder for a target to be made in. */
  empty(): string {
    const folder = join(this.root, `target-${this.#count++}`);
    mkdirSync(folder);
    return folder;
  }

  /** Removes everything. */
  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Replaces the first occurrence of a text in a file; JSON is not parsed, because JavaScript would write 1.0 as 1. */
export function replaceText(path: string, from: string, to: string): void {
  const text = readFileSync(path, "utf8");
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  writeFileSync(path, text.replace(from, to));
}

/** A JSON object. */
export function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
}

/** The names in a folder, sorted. */
export function names(folder: string): string[] {
  return readdirSync(folder).sort();
}
