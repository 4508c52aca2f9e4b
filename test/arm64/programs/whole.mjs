#!/usr/bin/env node
// `npm run test:arm64`: builds for Linux on arm64 and tests what was built in an emulator. The tests of test/arm64 run
// here and start emulated programs; those of test/arm64/emulated run in Node.js for arm64.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { env, execPath, exit, stdout } from "node:process";
import * as arm64 from "../../../scripts/setup/arm64.mjs";
import { zig } from "../../../scripts/setup/macos.mjs";
import { root } from "../../../scripts/setup/paths.mjs";

const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
// Mocha would start a second process for the options of .mocharc.json, but nothing starts arm64 programs by themselves.
const loaders = ["--import", "tsx", "--import", "./test/support/offline.mjs"];
const options = ["--no-config", "--forbid-only", "--forbid-pending", "--timeout", "0"];
const emulation = {
  emulator: arm64.emulator,
  sysroot: arm64.sysroot,
  node: arm64.node,
  libtorch: arm64.libtorch,
  testPrograms: join(root, arm64.buildFolder, "test", "native"),
  testProgramNames: arm64.TEST_PROGRAMS,
  prebuilds: arm64.prebuilds,
  macosCompiler: zig,
};

arm64.prepareSysroot();
const failed = [
  ["test/arm64/*.whole.ts", execPath, [], { ...env, TORCH_T5_EMULATION: JSON.stringify(emulation) }],
  ...["max", "neoverse-n1"].map((processor) => {
    const [program, args] = arm64.emulated(processor, arm64.node);
    return ["test/arm64/emulated/*.whole.ts", program, args, arm64.emulatedEnvironment()];
  }),
].filter(([tests, program, args, environment]) => {
  stdout.write(`--- ${[program, ...args].join(" ")}: ${tests}\n`);
  const all = [...args, ...loaders, mocha, ...options, tests];
  return spawnSync(program, all, { cwd: root, env: environment, stdio: "inherit" }).status !== 0;
});
stdout.write(failed.length > 0 ? `${failed.length} of the runs failed\n` : "All runs passed\n");
exit(failed.length > 0 ? 1 : 0);
