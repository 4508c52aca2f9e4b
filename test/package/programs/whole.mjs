#!/usr/bin/env node
// `npm run test:package`: every case of the package's tests, and the build of an installed package from its sources.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { env, execPath, exit } from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const environment = { ...env, TORCH_T5_PACKAGE_EXTENT: "whole" };
const runs = [
  [join(root, "node_modules", "mocha", "bin", "mocha.js"), "test/package/*.{spec,whole}.ts"],
  [fileURLToPath(new URL("source-build.mjs", import.meta.url))],
];
const failed = runs.filter((args) => {
  const { status } = spawnSync(execPath, args, { cwd: root, env: environment, stdio: "inherit" });
  return status !== 0;
});
exit(failed.length > 0 ? 1 : 0);
