#!/usr/bin/env node
// Checks the file that `npm pack` writes: its contents and size, and its exports and types with publint and attw.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath, exit, stderr } from "node:process";
import { root, tools } from "../setup/paths.mjs";

/** Bytes, without prebuilt binaries. The embedded model has 3.6 MB of each. */
const MAX_PACKED = 4.5e6;
const MAX_UNPACKED = 8.5e6;

/** Everything that a consumer needs, and nothing else. */
const EXPECTED =
  /^(dist|models|native|cmake|prebuilds|scripts\/(setup|export))\/|^scripts\/(setup\.mjs|python\.mjs|requirements\.txt)$|^(CMakeLists\.txt|CHANGELOG\.md|LICENSE|README\.md|package\.json)$/;
/** node-gyp would run for a binding.gyp in every `npm ci`. */
const UNEXPECTED = /binding\.gyp$|__pycache__|\.(pyc|log|tsbuildinfo)$|node_modules/;

const tool = (...parts) => join(tools, "node_modules", ...parts);
const folder = mkdtempSync(join(tmpdir(), "torch-t5-pack-"));

/** Runs a program of test/tools. Returns what it printed; throws with it where it fails. */
function run(program, ...args) {
  const { status, stdout, stderr } = spawnSync(execPath, [program, ...args], { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")}:\n${stdout}${stderr}`);
  return stdout;
}

function checkContents({ files, size, unpackedSize }) {
  const prebuilt = files.filter(({ path }) => path.startsWith("prebuilds/"));
  const unpacked = unpackedSize - prebuilt.reduce((sum, file) => sum + file.size, 0);
  const wrong = files.map(({ path }) => path).filter((path) => !EXPECTED.test(path) || UNEXPECTED.test(path));
  if (wrong.length > 0)
    throw new Error(`Expected only what consumers need in the package but found ${wrong.join(", ")}`);
  if (prebuilt.length === 0 && size > MAX_PACKED) {
    throw new Error(`Expected a package of at most ${MAX_PACKED} bytes but it has ${size}`);
  }
  if (unpacked > MAX_UNPACKED) {
    throw new Error(`Expected at most ${MAX_UNPACKED} bytes unpacked, without prebuilds, but found ${unpacked}`);
  }
}

try {
  const npm = tool("npm-11", "bin", "npm-cli.js");
  const [packed] = JSON.parse(run(npm, "pack", "--ignore-scripts", "--json", "--pack-destination", folder));
  checkContents(packed);
  const file = join(folder, packed.filename);
  run(tool("publint", "src", "cli.js"), "run", file, "--strict");
  run(tool("@arethetypeswrong", "cli", "dist", "index.js"), file, "--no-definitely-typed", "--no-color", "--no-emoji");
} catch (error) {
  stderr.write(`${error.message}\n`);
  exit(1);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
