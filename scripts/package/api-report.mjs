#!/usr/bin/env node
// Writes etc/torch-t5.api.md, every public type, with API Extractor; with --check, compares the file instead. A change of the API
// is then a change of that file, which a review can't miss.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { argv, execPath, exit, stderr } from "node:process";
import { root, tools } from "../setup/paths.mjs";

const extractor = join(tools, "node_modules", "@microsoft", "api-extractor", "bin", "api-extractor");
const config = join(root, "scripts", "package", "api-extractor.json");
const isCheck = argv.includes("--check");

mkdirSync(join(root, "etc"), { recursive: true });
const args = [extractor, "run", "--config", config, ...(isCheck ? [] : ["--local"])];
const { status, stdout } = spawnSync(execPath, args, { cwd: root, encoding: "utf8" });
if (status !== 0) {
  stderr.write(
    `${stdout}\nIf the change of the API is meant, run \`npm run api-report\` and commit etc/torch-t5.api.md.\n`,
  );
  exit(1);
}
