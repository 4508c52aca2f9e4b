// Builds the native addon with cmake-js.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { execPath, platform } from "node:process";
import { libtorchDirectory, root, venvProgram } from "./paths.mjs";
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

/** Compiles native/, and with `tests` also test/native, into `<out>/Release`. `out` is relative to the repository. */
export async function buildAddon({ out = "build", tests = false } = {}) {
  const cmakeJs = join(
    dirname(createRequire(join(root, "package.json")).resolve("cmake-js/package.json")),
    "bin",
    "cmake-js",
  );
  const definitions = [`--CDTORCH_T5_LIBTORCH=${libtorchDirectory()}`, `--CDTORCH_T5_TESTS=${tests ? "ON" : "OFF"}`];
  // Configured each time, because the folder may have been configured for another libtorch.
  for (const command of ["configure", "build"]) {
    await runProgram("addon", execPath, [cmakeJs, command, "--out", out, ...definitions], { cwd: root });
  }
}
