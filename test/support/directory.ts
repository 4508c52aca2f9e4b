// Temporary directories and changed copies of the embedded model.
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { demoModel } from "torch-t5";

/** Calls `use` with an empty directory that is removed afterwards. */
export async function withDirectory<Result>(use: (directory: string) => Promise<Result> | Result): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "torch-t5-test-"));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Calls `use` with a copy of the embedded model. */
export function withModelCopy<Result>(use: (directory: string) => Promise<Result> | Result): Promise<Result> {
  return withDirectory((directory) => {
    cpSync(demoModel, directory, { recursive: true });
    return use(directory);
  });
}

/** Updates a file's size and digest in the manifest of a model. */
export function updateManifest(directory: string, name: string): void {
  const content = readFileSync(join(directory, name));
  const path = join(directory, "manifest.json");
  const manifest = JSON.parse(readFileSync(path, "utf8"));
  manifest.files[name] = { bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
  writeFileSync(path, JSON.stringify(manifest));
}

/** Changes settings in config.json of a model, and updates the manifest. */
export function changeConfig(directory: string, changes: Readonly<Record<string, unknown>>): void {
  const path = join(directory, "config.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...changes }));
  updateManifest(directory, "config.json");
}
