// Builds the native addon with cmake-js: in a checkout in place, for an installed package in the user's cache.
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { execPath, platform } from "node:process";
import { libtorchDirectory } from "./libtorch.mjs";
import { runNpm } from "./npm.mjs";
import { addonDirectory, cacheDirectory, packageJson, root, venvProgram } from "./paths.mjs";
import { capture, runProgram } from "./process.mjs";

const MINIMUM_CMAKE = [3, 20];

/** The addons of a build: the one that computes, and the one that loads libtorch for it. */
export const ADDONS = ["torch_t5.node", "torch_t5_preload.node"];

/** The library that the first addon opens for a CUDA device. It is built where libtorch has CUDA. */
export const CUDA_LIBRARY = platform === "win32" ? "torch_t5_cuda.dll" : "torch_t5_cuda.so";

/** The names of what a build left in `folder`: the addons, and the CUDA library if it was built. */
export function builtFiles(folder) {
  return [...ADDONS, ...[CUDA_LIBRARY].filter((name) => existsSync(join(folder, name)))];
}

/** The cmake and ninja of the machine or of the virtual environment; undefined where one of the two is missing. */
export function findBuildTools() {
  const cmake = ["cmake", venvProgram("cmake")].find(isCmakeNewEnough);
  const ninja = ["ninja", venvProgram("ninja")].find((program) => capture(program, ["--version"]) !== undefined);
  return cmake && ninja ? { cmake, ninja } : undefined;
}

function isCmakeNewEnough(program) {
  const [major, minor] = (/version (\d+)\.(\d+)/.exec(capture(program, ["--version"]) ?? "")?.slice(1) ?? []).map(
    Number,
  );
  return major > MINIMUM_CMAKE[0] || (major === MINIMUM_CMAKE[0] && minor >= MINIMUM_CMAKE[1]);
}

/** What the build reads of the package. */
export const NATIVE_SOURCES = ["native", "CMakeLists.txt", "cmake"];

/** The packages that the build needs. They are no dependencies: whoever installs a prebuilt addon does without them. */
const BUILD_PACKAGES = ["cmake-js", "node-addon-api", "node-api-headers"];

/** Compiles native/, and with `tests` also test/native, into `<out>/Release`. `out` is relative to the repository. */
export function buildAddon({ out = "build", tests = false } = {}) {
  return compile(root, out, tests);
}

/**
 * Builds the addon of an installed package, whose folder may be read-only. Nothing but the addon remains. An interrupted build goes
 * on where it was.
 */
export async function buildInCache() {
  const folder = join(cacheDirectory(), "build", packageJson.version);
  for (const name of NATIVE_SOURCES) copyTree(join(root, name), join(folder, name));
  const { version, binary, devDependencies } = packageJson;
  const dependencies = Object.fromEntries(BUILD_PACKAGES.map((name) => [name, devDependencies[name]]));
  const settings = { name: "torch-t5-build", private: true, version, binary, dependencies };
  writeFileSync(join(folder, "package.json"), JSON.stringify(settings));
  await runNpm("build-packages", ["install", "--ignore-scripts"], folder);
  await compile(folder, "build", false);

  const built = join(folder, "build", "Release");
  const complete = `${addonDirectory}.new`;
  rmSync(complete, { recursive: true, force: true });
  mkdirSync(complete, { recursive: true });
  for (const name of builtFiles(built)) copyFileSync(join(built, name), join(complete, name));
  rmSync(addonDirectory, { recursive: true, force: true });
  renameSync(complete, addonDirectory);
  rmSync(folder, { recursive: true, force: true });
}

/** Copies a file or a folder with functions that also read from Yarn's zip archives, as `cpSync` does not. */
function copyTree(from, to) {
  let entries;
  try {
    entries = readdirSync(from);
  } catch (error) {
    if (error.code !== "ENOTDIR") throw error;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
    return;
  }
  for (const name of entries) copyTree(join(from, name), join(to, name));
}

/**
 * Configures the build of a checkout in `out`, relative to the repository, with further CMake definitions of cmake-js.
 * `cmake --build` then builds any target.
 */
export function configureBuild(step, { out, tests, libtorch, definitions }) {
  return runCmakeJs(step, "configure", root, out, [...defineBuild(libtorch, tests), ...definitions]);
}

/** Compiles the sources in `folder`, which has cmake-js, into `<out>/Release`. */
async function compile(folder, out, tests) {
  // Configured each time, because the folder may have been configured for another libtorch.
  for (const command of ["configure", "build"]) {
    await runCmakeJs("addon", command, folder, out, defineBuild(libtorchDirectory(), tests));
  }
}

function defineBuild(libtorch, tests) {
  return [`--CDTORCH_T5_LIBTORCH=${libtorch}`, `--CDTORCH_T5_TESTS=${tests ? "ON" : "OFF"}`];
}

async function runCmakeJs(step, command, folder, out, definitions) {
  const { resolve } = createRequire(join(folder, "package.json"));
  const cmakeJs = join(dirname(resolve("cmake-js/package.json")), "bin", "cmake-js");
  await runProgram(step, execPath, [cmakeJs, command, "--out", out, ...definitions], { cwd: folder });
}
