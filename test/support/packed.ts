// The package as its users get it: the file that `npm pack` writes, and projects that have it installed.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runtimeInfo } from "torch-t5";
import { type Ended, runToEnd } from "./program.js";
import { toolPath } from "./tools.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** npm passes its own settings to its children in these variables. A user's shell has none of them. */
const WITHOUT_NPM: NodeJS.ProcessEnv = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => /^npm_/i.test(name))
    .map((name) => [name, undefined]),
);

let packed: Promise<string> | undefined;

/** The path of the package's file. It is packed once, without its scripts: set-up has built `dist/`. */
export function packageFile(): Promise<string> {
  packed ??= pack();
  return packed;
}

async function pack(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "torch-t5-pack-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  await npm("npm-11", ["pack", "--ignore-scripts", "--pack-destination", folder], root);
  const [file = ""] = readdirSync(folder);
  return join(folder, file);
}

/** Runs one of the npm versions of test/tools to its end, on `node`. Throws unless it succeeds. */
export async function npm(
  version: "npm-10" | "npm-11" | "npm-12",
  args: readonly string[],
  cwd: string,
  node = process.execPath,
): Promise<void> {
  const program = toolPath(version, "bin", "npm-cli.js");
  await succeed(node, [program, ...args, "--no-audit", "--no-fund", "--prefer-offline"], cwd);
}

/** Runs a program in a project as from a user's shell. Throws unless it succeeds. */
export async function succeed(
  program: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<Ended> {
  const ended = await runToEnd(program, args, { cwd, env: { ...WITHOUT_NPM, ...env } });
  const output = `${program} ${args.join(" ")}\n${ended.stdout}${ended.stderr}`;
  assert.deepEqual({ code: ended.code, signal: ended.signal }, { code: 0, signal: null }, output);
  return ended;
}

/** Makes `directory` the project of a user: nothing but a package.json. */
export function makeProject(directory: string, settings: Readonly<Record<string, unknown>> = {}): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true, ...settings }));
}

/** Makes a project that has the package with prebuilt addons installed, as `npm install` unpacks it. */
export async function makeInstalledProject(
  directory: string,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  makeProject(directory, settings);
  await npm("npm-11", ["install", "--ignore-scripts", await packageFile()], directory);
  addPrebuilds(join(directory, "node_modules", "torch-t5"));
}

/** Puts the addon of the checkout where a published package has its prebuilt ones. */
export function addPrebuilds(folder: string): void {
  copyAddon(join(folder, "prebuilds", `${process.platform}-${process.arch}`));
}

/** Puts the addon of the checkout where `torch-t5 setup` puts one that it builds. Linux only. */
export function addToCache(cache: string): void {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  copyAddon(join(cache, "torch-t5", "addon", version, `${process.platform}-${process.arch}`));
}

function copyAddon(folder: string): void {
  const built = dirname(runtimeInfo().addonPath);
  mkdirSync(folder, { recursive: true });
  const names = readdirSync(built).filter((name) => /^torch_t5(_preload|_cuda)?\.(node|so|dll)$/.test(name));
  for (const name of names) cpSync(join(built, name), join(folder, name));
}

/** The environment in which an installed package finds the libtorch of the checkout. */
export function withLibtorch(): NodeJS.ProcessEnv {
  return { LIBTORCH: runtimeInfo().libtorch.directory };
}
