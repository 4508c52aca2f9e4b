#!/usr/bin/env node
// Runs every static check of the repository, also after one has failed.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { execPath, exit, stdout } from "node:process";
import { root, venvProgram } from "./setup/paths.mjs";

const bin = (name, file) => [execPath, join(root, "node_modules", name, "bin", file)];
const sources = readdirSync(join(root, "native"), { recursive: true })
  .map((name) => join("native", name))
  .concat(readdirSync(join(root, "test", "native"), { recursive: true }).map((name) => join("test", "native", name)))
  .filter((name) => /\.(cc|cuh|h)$/.test(name));

const checks = [
  ["biome", [...bin("@biomejs/biome", "biome"), "check", "."]],
  ["types", [...bin("typescript", "tsc"), "--noEmit"]],
  ["API report", [execPath, join(root, "scripts", "package", "api-report.mjs"), "--check"]],
  ["package", [execPath, join(root, "scripts", "package", "check.mjs")]],
  ["workflows and Dockerfiles", [execPath, join(root, "scripts", "package", "recipes.mjs")]],
  ["documentation", [execPath, join(root, "scripts", "docs.mjs"), "--out", join(root, "build", "docs-site")]],
  ["ruff", [venvProgram("ruff"), "check", "."]],
  ["ruff format", [venvProgram("ruff"), "format", "--check", "."]],
  ["clang-format", [venvProgram("clang-format"), "--dry-run", "--Werror", ...sources]],
];

const failed = checks.filter(([name, [program, ...args]]) => {
  stdout.write(`--- ${name}\n`);
  return spawnSync(program, args, { cwd: root, stdio: "inherit" }).status !== 0;
});
stdout.write(failed.length > 0 ? `Failed: ${failed.map(([name]) => name).join(", ")}\n` : "All checks passed.\n");
exit(failed.length > 0 ? 1 : 0);
