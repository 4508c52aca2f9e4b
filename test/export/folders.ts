// The folders of these tests: one for the checkpoints that they export, and one for what each spec file writes.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoModel } from "torch-t5";
import { runHelper } from "./exporter.js";

const temporary = () => mkdtempSync(join(tmpdir(), "torch-t5-export-"));

let checkpoints: Promise<string> | undefined;

/** Writes the checkpoints of programs/checkpoints.py, once for all spec files: they only read them. */
async function writeCheckpoints(): Promise<string> {
  const directory = temporary();
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  await runHelper("checkpoints", [directory, demoModel]);
  return directory;
}

/** A temporary folder for what a spec file writes, and the checkpoints that it reads. */
export class Folders {
  readonly root = temporary();
  #checkpoints = "";
  #count = 0;

  /** Resolves once the checkpoints are written. */
  async makeCheckpoints(): Promise<void> {
    checkpoints ??= writeCheckpoints();
    this.#checkpoints = await checkpoints;
  }

  /** The path of a checkpoint. */
  checkpoint(name: string): string {
    return join(this.#checkpoints, name);
  }

  /** Makes a changed copy of a checkpoint. */
  changed(name: string, change: (directory: string) => void): string {
    const copy = join(this.root, `${name}-${this.#count++}`);
    cpSync(this.checkpoint(name), copy, { recursive: true });
    change(copy);
    return copy;
  }

  /** Makes an empty folder, in which a target can be made. */
  empty(): string {
    const folder = join(this.root, `target-${this.#count++}`);
    mkdirSync(folder);
    return folder;
  }

  /** Removes what the spec file wrote. */
  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Replaces the first occurrence of a text in a file. JSON is not parsed, because JavaScript would write 1.0 as 1. */
export function replaceText(path: string, from: string, to: string): void {
  const text = readFileSync(path, "utf8");
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  writeFileSync(path, text.replace(from, to));
}

/** Reads a JSON object. */
export function readJson(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
}

/** The names in a folder, sorted. */
export function names(folder: string): string[] {
  return readdirSync(folder).sort();
}
