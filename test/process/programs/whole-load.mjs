#!/usr/bin/env node
// `npm run test:load`: the long forms of the tests that load one model with many calls.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process, { env, execPath } from "node:process";
import { fileURLToPath } from "node:url";

const LONG_FORMS = { TORCH_T5_LOAD_REQUESTS: "100000", TORCH_T5_COMMANDS: "100000", TORCH_T5_SOAK_SECONDS: "600" };
const TESTS = ["test/property/load.spec.ts", "test/property/service.spec.ts", "test/process/soak.spec.ts"];

const root = fileURLToPath(new URL("../../..", import.meta.url));
const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
const { status } = spawnSync(execPath, [mocha, "--timeout", "0", ...TESTS], {
  cwd: root,
  stdio: "inherit",
  env: { ...env, ...LONG_FORMS },
});
process.exitCode = status ?? 1;
