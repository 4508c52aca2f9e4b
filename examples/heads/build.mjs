// Builds the TorchScript file of a head on the first run of its example, with the Python that set-up installed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Runs a program of the checkout. */
function run(...args) {
  const { status } = spawnSync(execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0)
    throw new Error(`Expected ${args[0]} to succeed; \`npx torch-t5 setup --export\` installs what it needs`);
}

/** Writes `path` with examples/heads/<name>.py, unless the file exists. */
export function buildHead(name, path) {
  if (existsSync(path)) return;
  console.error(`Building ${path} with examples/heads/${name}.py`);
  const python = [pathOf("../../scripts/python.mjs"), pathOf(`${name}.py`)];
  if (name !== "classifier") return run(...python, path);
  // The classifier is trained on embeddings of the tasks.
  const folder = mkdtempSync(join(tmpdir(), "torch-t5-head-"));
  try {
    const embeddings = join(folder, "embeddings.jsonl");
    run(pathOf("../../dist/cli/main.js"), "embed", "--input", pathOf("tasks.jsonl"), "--output", embeddings);
    run(...python, embeddings, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
