// The paths of set-up. In a checkout everything stays inside the repository. For an installed package the virtual environment
// goes to the user's cache, where lib/native/libtorch.ts searches for it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { arch, env, platform } from "node:process";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const isCheckout = existsSync(join(root, "tsconfig.build.json"));

/** The package's package.json. */
export const packageJson = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** The oldest Node.js that works, as package.json's `engines` states it, for instance "20.19". */
export function minimumNode() {
  return packageJson.engines.node.replace(">=", "");
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

/** The virtual environment of the clients that the server is tested with. */
export const clientsVenv = join(root, ".venv-clients");

const executable = (name) => (platform === "win32" ? `${name}.exe` : name);

/** The folder of the built addon. lib/native/addon.ts searches for it there. */
export const addonDirectory = isCheckout
  ? join(root, "build", "Release")
  : join(cacheDirectory(), "addon", packageJson.version, `${platform}-${arch}`);

/** The prebuilt addon of a published package. */
export const prebuiltAddon = join(root, "prebuilds", `${platform}-${arch}`, "torch_t5.node");

/**
 * Where an installed package puts a libtorch without the rest of Python's torch. lib/native/libtorch.ts searches for it there.
 */
export const libtorchCache = join(cacheDirectory(), "libtorch");

/** Where the tests' tools of test/tools are installed. */
export const tools = join(root, ".tools");

/** The path of a program inside the virtual environment. */
export function venvProgram(name) {
  return join(venvBin, executable(name));
}

/** The path of a program inside the environment of the server's clients. */
export function clientsProgram(name) {
  return join(clientsVenv, platform === "win32" ? "Scripts" : "bin", executable(name));
}

/** The `site-packages` folder of the virtual environment, or undefined before it exists. */
export function sitePackages() {
  if (platform === "win32") return join(venv, "Lib", "site-packages");
  const lib = join(venv, "lib");
  const python = existsSync(lib) ? readdirSync(lib).find((name) => name.startsWith("python3")) : undefined;
  return python && join(lib, python, "site-packages");
}
