#!/usr/bin/env node
// `npm run test:tokenizer`: compares every string on the Node that runs this program, then a part of the strings on one
// release of each supported line, whose Unicode data differ. The releases are installed from npm into .nodes/, which git
// ignores.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { env, execPath, exit, platform, stdout, versions } from "node:process";
import { fileURLToPath } from "node:url";

const RELEASES = ["20.19.0", "22.12.0", "24.21.0"];
const TESTS = ["test/parity/tokenizer/**/*.{spec,whole}.ts", "test/unit/token*.spec.ts"];

const root = fileURLToPath(new URL("../../../..", import.meta.url));

/** The path of a release of Node, which is installed at the first call. */
function nodeOf(release) {
  const folder = join(root, ".nodes", release);
  const program = join(folder, "node_modules", "node", "bin", platform === "win32" ? "node.exe" : "node");
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const [npm, first] = env.npm_execpath ? [execPath, [env.npm_execpath]] : ["npm", []];
  // The install script of this package installs another one, with the build for this machine's processor.
  const args = [...first, "install", `node@${release}`, "--no-audit", "--no-fund", "--no-save"];
  const { status } = spawnSync(npm, args, { cwd: folder, stdio: "inherit" });
  if (status !== 0 || !existsSync(program)) throw new Error(`Expected npm to install node@${release}`);
  return program;
}

/** Whether the tests pass on a release of Node. */
function passes(name, program, extent) {
  stdout.write(`--- Node ${name}, ${extent}\n`);
  const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
  const options = { cwd: root, stdio: "inherit", env: { ...env, TORCH_T5_TOKENIZER_EXTENT: extent } };
  return spawnSync(program, [mocha, ...TESTS], options).status === 0;
}

const failed = passes(versions.node, execPath, "whole") ? [] : [versions.node];
for (const release of RELEASES) {
  if (!passes(release, nodeOf(release), "wide")) failed.push(release);
}
stdout.write(failed.length > 0 ? `Failed on Node ${failed.join(", ")}\n` : "Passed on every Node\n");
exit(failed.length > 0 ? 1 : 0);
