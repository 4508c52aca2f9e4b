#!/usr/bin/env node
// `npm run test:load`: the long forms of the tests that load one model with many calls. `npm run test:soak`: the soak for
// 30 minutes in each precision; it reports the slope of the resident memory.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process, { argv, env, execPath } from "node:process";
import { fileURLToPath } from "node:url";

const SOAK = "test/process/soak.spec.ts";
const FORMS = {
  load: {
    tests: [
      "test/property/load.spec.ts",
      "test/property/service.spec.ts",
      "test/process/allocation-failures.spec.ts",
      SOAK,
    ],
    extents: {
      TORCH_T5_LOAD_REQUESTS: "100000",
      TORCH_T5_COMMANDS: "100000",
      TORCH_T5_ALLOCATION_FAILURES: "all",
      TORCH_T5_SOAK_SECONDS: "600",
    },
  },
  soak: { tests: [SOAK], extents: { TORCH_T5_SOAK_SECONDS: "1800" } },
};

const { tests, extents } = FORMS[argv[2] ?? "load"];
const root = fileURLToPath(new URL("../../..", import.meta.url));
const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
const { status } = spawnSync(execPath, [mocha, "--timeout", "0", ...tests], {
  cwd: root,
  stdio: "inherit",
  env: { ...extents, ...env },
});
process.exitCode = status ?? 1;
