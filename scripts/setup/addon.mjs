// Builds the native addon with cmake-js against the located libtorch.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { execPath } from "node:process";
import { libtorchDirectory, root, venvProgram } from "./paths.mjs";
import { capture, run } from "./process.mjs";

const MINIMUM_CMAKE = [3, 20];

/** The addons that a build makes: the one that computes, and the one that opens libtorch for it. */
export const ADDONS = ["torch_t5.node", "torch_t5_preload.node"];

/** The cmake and ninja of the machine or of the virtual environment, or undefined when one is missing. */
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

/** Compiles native/ into `<out>/Release`, relative to the repository; `tests`: the programs of test/native as well. */
export async function buildAddon({ out = "build", tests = false } = {}) {
  const cmakeJs = join(
    dirname(createRequire(join(root, "package.json")).resolve("cmake-js/package.json")),
    "bin",
    "cmake-js",
  );
  const definitions = [`--CDTORCH_T5_LIBTORCH=${libtorchDirectory()}`, `--CDTORCH_T5_TESTS=${tests ? "ON" : "OFF"}`];
  // Configured each time: a build folder of another libtorch must not go on with that one.
  for (const command of ["configure", "build"]) {
    await run("addon", execPath, [cmakeJs, command, "--out", out, ...definitions], { cwd: root });
  }
}
