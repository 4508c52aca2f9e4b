// The libtorch to build and run with. In a checkout it is that of .venv. An installed package uses one that the library finds, and
// else installs the torch wheel into the user's cache and deletes what is not opened.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { env, platform } from "node:process";
import { pathToFileURL } from "node:url";
import { isCheckout, libtorchCache, prebuiltAddon, root, sitePackages } from "./paths.mjs";
import { pinnedTorch } from "./python.mjs";

/** What is opened: libtorch_cpu, and the libraries that it names and that no system has. */
const OPENED = /^lib(torch_cpu|c10|gomp|gfortran|cudart|cupti|nvpl_\w+|arm_compute\w*)\b.*\.so/;

/** The libtorch of the pinned version that the library finds, or undefined. It searches as `torch-t5 doctor` does. */
const found = isCheckout ? undefined : await findLibtorch();

async function findLibtorch() {
  const { locateLibtorch } = await import(pathToFileURL(join(root, "dist", "native", "libtorch.js")).href);
  try {
    const { directory } = locateLibtorch(pinnedTorch());
    return basename(directory) === "lib" ? dirname(directory) : directory;
  } catch {
    return undefined;
  }
}

/** The libtorch to build with, a folder with `include/` and `lib/`; undefined where there is none yet. */
export function libtorchDirectory() {
  if (env.LIBTORCH) return env.LIBTORCH;
  if (found !== undefined && canServe(found)) return found;
  const packages = sitePackages();
  const inVenv = packages && join(packages, "torch");
  return isCheckout || (inVenv && existsSync(inVenv)) ? inVenv : join(libtorchCache, "torch");
}

/** Whether a libtorch is all that is needed: a build needs its headers, too. */
function canServe(directory) {
  return existsSync(prebuiltAddon) || existsSync(join(directory, "include", "torch"));
}

/** Whether a libtorch serves without an installation. */
export const hasLibtorch = Boolean(env.LIBTORCH) || (found !== undefined && canServe(found));

/** Whether the addon has to be built: there is no prebuilt one, or not for the version that LIBTORCH has. */
export const needsBuild = !existsSync(prebuiltAddon) || (Boolean(env.LIBTORCH) && found === undefined);

/** The file of libtorch below a folder of Python's packages. */
export function libtorchLibrary(packages) {
  const file = { win32: "torch_cpu.dll", darwin: "libtorch_cpu.dylib" }[platform] ?? "libtorch_cpu.so";
  return packages && join(packages, "torch", "lib", file);
}

/**
 * Deletes everything of the installed wheels that is not opened, and not needed for the build. Of wheels for Linux alone: what is
 * opened on other platforms is not known from a test.
 */
export function keepOpenedLibraries(packages, { withHeaders = !existsSync(prebuiltAddon) } = {}) {
  if (platform !== "linux") return;
  const keep = (folder, isKept) => {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (!isKept(name)) rmSync(join(folder, name), { recursive: true, force: true });
    }
  };
  const torch = join(packages, "torch");
  keep(packages, (name) => name === "torch" || name === "nvidia");
  keep(torch, (name) => ["lib", "version.py"].includes(name) || (withHeaders && name === "include"));
  keep(join(torch, "lib"), (name) => OPENED.test(name));
  for (const name of existsSync(join(packages, "nvidia")) ? readdirSync(join(packages, "nvidia")) : []) {
    keep(join(packages, "nvidia", name), (part) => part === "lib");
    keep(join(packages, "nvidia", name, "lib"), (file) => OPENED.test(file));
  }
}
