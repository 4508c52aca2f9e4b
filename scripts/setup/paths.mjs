// The paths of set-up. In a checkout everything stays inside the repository. For an installed package the virtual environment
// goes to the user's cache, where lib/native/libtorch.ts searches for it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { env, platform } from "node:process";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const isCheckout = existsSync(join(root, "tsconfig.build.json"));

/** The oldest Node.js that works, as package.json's `engines` states it, for instance "20.19". */
export function minimumNode() {
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return engines.node.replace(">=", "");
}

/** The folder of torch-t5 in the user's cache. */
export function cacheDirectory() {
  if (platform === "win32") return join(env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "torch-t5");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "torch-t5");
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "torch-t5");
}

export const venv = isCheckout ? join(root, ".venv") : join(cacheDirectory(), "venv");
export const state = isCheckout ? join(root, ".setup") : join(cacheDirectory(), "setup");
export const venvBin = join(venv, platform === "win32" ? "Scripts" : "bin");

/** Where the tests' tools of test/tools are installed. */
export const tools = join(root, ".tools");

/** The path of a program inside the virtual environment. */
export function venvProgram(name) {
  return join(venvBin, platform === "win32" ? `${name}.exe` : name);
}

/** The `site-packages` folder of the virtual environment, or undefined before it exists. */
export function sitePackages() {
  if (platform === "win32") return join(venv, "Lib", "site-packages");
  const lib = join(venv, "lib");
  const python = existsSync(lib) ? readdirSync(lib).find((name) => name.startsWith("python3")) : undefined;
  return python && join(lib, python, "site-packages");
}

/** The libtorch to build with: `LIBTORCH` if it is set, else the torch package of the virtual environment. */
export function libtorchDirectory() {
  if (env.LIBTORCH) return env.LIBTORCH;
  const packages = sitePackages();
  return packages && join(packages, "torch");
}
