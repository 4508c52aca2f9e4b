#!/usr/bin/env node
// Installs the packed package in an empty project, lets its set-up compile the addon with the libtorch of the
// checkout (several minutes), and checks that it runs and what the build has left.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { arch, env, execPath, platform, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeInfo } from "torch-t5";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const npm = join(root, ".tools", "node_modules", "npm-11", "bin", "npm-cli.js");
const project = mkdtempSync(join(tmpdir(), "torch-t5-source-"));
const cache = join(project, "cache");
const environment = {
  ...env,
  XDG_CACHE_HOME: cache,
  LIBTORCH: runtimeInfo().libtorch.directory.replace(/[\\/]lib$/, ""),
};

const run = (...args) => execFileSync(execPath, args, { cwd: project, env: environment, encoding: "utf8" });

try {
  execFileSync(execPath, [npm, "pack", "--loglevel=error", "--ignore-scripts", "--pack-destination", project], {
    cwd: root,
  });
  const [file = ""] = readdirSync(project).filter((name) => name.endsWith(".tgz"));
  writeFileSync(join(project, "package.json"), '{ "private": true }');
  run(npm, "install", "--prefer-offline", "--no-audit", "--no-fund", `./${file}`);
  // A checkout may have prebuilt binaries, which would be taken instead.
  rmSync(join(project, "node_modules", "torch-t5", "prebuilds"), { recursive: true, force: true });
  const program = join(project, "node_modules", "torch-t5", "dist", "cli", "main.js");
  const installed = readdirSync(join(project, "node_modules", "torch-t5")).sort();
  run(program, "setup");
  assert.equal(run(program, "generate", "spell number: 7"), "seven\n");
  assert.match(run(program, "doctor"), /Everything needed is here/);
  assert.deepEqual(readdirSync(join(project, "node_modules", "torch-t5")).sort(), installed);
  const [version = ""] = readdirSync(join(cache, "torch-t5", "addon"));
  const built = readdirSync(join(cache, "torch-t5", "addon", version, `${platform}-${arch}`));
  assert.deepEqual(
    built.filter((name) => !/^torch_t5(_preload|_cuda)?\.(node|so|dll)$/.test(name)),
    [],
  );
  assert.deepEqual(readdirSync(join(cache, "torch-t5", "build")), []);
  stdout.write("The package was compiled, runs, and left nothing but the addon\n");
} finally {
  rmSync(project, { recursive: true, force: true });
}
