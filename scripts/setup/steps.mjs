// The steps of set-up, and which of them each profile runs. A step runs when its inputs have changed since it was last done, or
// when its output doesn't exist.
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { env, execPath } from "node:process";
import { buildAddon, buildInCache, findBuildTools, NATIVE_SOURCES } from "./addon.mjs";
import * as arm64 from "./arm64.mjs";
import { installPackages, mayInstallPackages } from "./debian.mjs";
import { completeDeclarations } from "./declarations.mjs";
import { hasLibtorch, keepOpenedLibraries, libtorchDirectory, libtorchLibrary, needsBuild } from "./libtorch.mjs";
import * as macos from "./macos.mjs";
import { runNpm } from "./npm.mjs";
import {
  addonDirectory,
  clientsProgram,
  isCheckout,
  libtorchCache,
  root,
  sitePackages,
  tools as toolsFolder,
  venvProgram,
} from "./paths.mjs";
import { capture, runProgram, SetupError } from "./process.mjs";
import { installPrograms, missingPrograms, PROGRAMS } from "./programs.mjs";
import {
  createClientsVenv,
  createVenv,
  isLibtorchRequirement,
  pinnedTorch,
  pipInstall,
  removeHalfInstalled,
  requirements,
} from "./python.mjs";
import { fingerprint } from "./stamps.mjs";
import { deleteDownloads, fetchWheel } from "./wheels.mjs";

/** A package index for the torch wheel, for instance PyTorch's own, which has a CPU build of 200 MB. */
const torchIndex = env.TORCH_T5_TORCH_INDEX;

const npm = {
  name: "npm",
  title: "npm dependencies",
  inputs: () => fingerprint({ files: ["package-lock.json"] }),
  output: () => join(root, "node_modules", ".package-lock.json"),
  run: () => runNpm("npm", ["ci"], root),
};

const venv = {
  name: "venv",
  title: "Python virtual environment",
  isVenv: true,
  needsPython: true,
  inputs: () => fingerprint({ values: ["venv"] }),
  output: () => venvProgram("python"),
  run: ({ python }) => createVenv(python),
};

const libtorch = {
  name: "libtorch",
  title: `libtorch ${pinnedTorch()} (the torch wheel without its dependencies)`,
  needsVenv: true,
  diskSpace: "libtorch",
  inputs: () => fingerprint({ values: [...requirements(isLibtorchRequirement), torchIndex] }),
  output: () => libtorchLibrary(isCheckout ? sitePackages() : libtorchCache),
  async run() {
    removeHalfInstalled();
    const specs = requirements(torchIndex ? (line) => line.startsWith("torch==") : isLibtorchRequirement);
    const wheel = await fetchWheel(`torch==${pinnedTorch()}`, torchIndex);
    const sources = specs.map((spec) => (wheel !== undefined && spec.startsWith("torch==") ? wheel : spec));
    const options = ["--no-deps", ...(torchIndex ? ["--index-url", torchIndex] : [])];
    if (isCheckout) {
      await pipInstall("libtorch", [...options, ...sources]);
    } else {
      rmSync(libtorchCache, { recursive: true, force: true });
      await pipInstall("libtorch", [...options, "--target", libtorchCache, ...sources]);
      keepOpenedLibraries(libtorchCache);
    }
    deleteDownloads();
  },
};

/** Python's torch as a whole, for GPUs. */
const cuda = {
  name: "cuda",
  title: `torch ${pinnedTorch()} with CUDA's libraries (4.5 GB unpacked on Linux)`,
  needsVenv: true,
  diskSpace: "python",
  inputs: () => fingerprint({ values: requirements(isLibtorchRequirement) }),
  output: () => packageFolder("torch"),
  async run() {
    removeHalfInstalled();
    await pipInstall("cuda", requirements(isLibtorchRequirement));
    rmSync(libtorchCache, { recursive: true, force: true });
  },
};

const buildTools = {
  name: "build-tools",
  title: "cmake and ninja",
  needsVenv: true,
  inputs: () => fingerprint({ values: ["build-tools"] }),
  output: () => findBuildTools() && root,
  run: () => pipInstall("build-tools", ["cmake>=3.26", "ninja"]),
};

const nativeSources = [...NATIVE_SOURCES, "scripts/setup/addon.mjs"];

const addon = {
  name: "addon",
  title: "native addon",
  needsCompiler: true,
  inputs: () => fingerprint({ values: [pinnedTorch(), libtorchDirectory()], files: nativeSources }),
  output: () => join(addonDirectory, "torch_t5.node"),
  run: () => (isCheckout ? buildAddon() : buildInCache()),
};

const nativeTests = {
  name: "native-tests",
  title: "native test programs",
  needsCompiler: true,
  inputs: () => fingerprint({ values: [pinnedTorch(), libtorchDirectory()], files: [...nativeSources, "test/native"] }),
  output: () => join(root, "build", "test", "native"),
  run: () => buildAddon({ tests: true }),
};

const typescriptSources = [
  "lib",
  "tsconfig.json",
  "tsconfig.build.json",
  "package-lock.json",
  "scripts/setup/declarations.mjs",
];

const typescript = {
  name: "typescript",
  title: "TypeScript",
  inputs: () => fingerprint({ files: typescriptSources }),
  output: () => join(root, "dist", "index.js"),
  async run() {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    // Modules that were renamed or deleted must not stay in dist/, which `npm pack` packs as a whole.
    rmSync(join(root, "dist"), { recursive: true, force: true });
    await runProgram("typescript", execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: root });
    completeDeclarations(join(root, "lib"), join(root, "dist"));
    // `npx torch-t5` needs an executable file. npm makes it one in an installed package, but not in a checkout.
    chmodSync(join(root, "dist", "cli", "main.js"), 0o755);
  },
};

const serverFiles = ["server/src", "server/package.json", "server/tsconfig.build.json"];

const server = {
  name: "server",
  title: "the server's TypeScript",
  inputs: () => fingerprint({ files: [...serverFiles, "lib", "tsconfig.json", "package-lock.json"] }),
  output: () => join(root, "server", "dist", "main.js"),
  async run() {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    rmSync(join(root, "server", "dist"), { recursive: true, force: true });
    await runProgram("server", execPath, [compiler, "-p", join("server", "tsconfig.build.json")], { cwd: root });
    chmodSync(join(root, "server", "dist", "main.js"), 0o755);
  },
};

const clients = {
  name: "clients",
  title: "Python clients of the server's protocols: tritonclient, text-generation",
  needsPython: true,
  inputs: () => fingerprint({ files: ["server/test/requirements.txt"] }),
  output: () => clientsProgram("python"),
  run: async ({ python }) => createClientsVenv(python, join(root, "server", "test", "requirements.txt")),
};

const programs = {
  name: "programs",
  title: "programs of the system (with apt-get) that the server's tests run: redis-server, Chromium, nginx",
  inputs: () => fingerprint({ values: PROGRAMS.flatMap(({ names }) => names) }),
  output: () => missingPrograms().length === 0 && root,
  run: installPrograms,
};

const python = {
  name: "python",
  title: "Python's torch and transformers (4.9 GB unpacked on Linux: the torch wheel is the CUDA build)",
  needsVenv: true,
  diskSpace: "python",
  inputs: () => fingerprint({ files: ["scripts/requirements.txt"] }),
  output: () => packageFolder("transformers"),
  async run() {
    removeHalfInstalled();
    await pipInstall(
      "python",
      requirements((line) => !line.startsWith("nvidia-")),
    );
    // Python's torch contains it.
    if (!isCheckout) rmSync(libtorchCache, { recursive: true, force: true });
  },
};

const developerTools = {
  name: "developer-tools",
  title: "ruff, clang-format, hadolint, sentence-transformers, and texts for the tokenizer tests",
  needsVenv: true,
  inputs: () => fingerprint({ files: ["scripts/requirements-dev.txt"] }),
  output: () => venvProgram("ruff"),
  async run() {
    removeHalfInstalled();
    await pipInstall("developer-tools", ["-r", join(root, "scripts", "requirements-dev.txt")]);
  },
};

const toolFiles = ["package.json", "package-lock.json"].map((name) => join("test", "tools", name));

const tools = {
  name: "tools",
  title: "runtimes, package managers, test runners and bundlers for the tests, and TypeDoc (0.8 GB)",
  inputs: () => fingerprint({ files: toolFiles }),
  output: () => join(toolsFolder, "node_modules", ".package-lock.json"),
  async run() {
    mkdirSync(toolsFolder, { recursive: true });
    for (const file of toolFiles) copyFileSync(join(root, file), join(toolsFolder, basename(file)));
    await runNpm("tools", ["ci", "--ignore-scripts"], toolsFolder);
  },
};

/** Installs a package with apt-get, or throws SetupError where that can't be. */
async function installForArm64(step, name) {
  if (!mayInstallPackages()) throw new SetupError(`Install ${name} (Debian, as root: apt-get install ${name})`);
  await installPackages(step, [name]);
}

const arm64Compiler = {
  name: "arm64-compiler",
  title: "a cross-compiler for arm64 (with apt-get)",
  inputs: () => fingerprint({ values: ["arm64-compiler"] }),
  output: () => capture(arm64.compiler, ["--version"]) && root,
  async run() {
    if (arm64Compiler.output()) return;
    await installForArm64("arm64-compiler", "g++-aarch64-linux-gnu");
  },
};

const arm64Emulator = {
  name: "arm64-emulator",
  title: "an emulator of arm64 (with apt-get)",
  inputs: () => fingerprint({ values: ["arm64-emulator"] }),
  output: () => capture(arm64.emulator, ["--version"]) && root,
  async run() {
    if (arm64Emulator.output()) return;
    await installForArm64("arm64-emulator", "qemu-user-static");
  },
};

const arm64Libtorch = {
  name: "arm64-libtorch",
  title: `libtorch ${pinnedTorch()} for arm64`,
  needsVenv: true,
  diskSpace: "libtorch",
  inputs: () => fingerprint({ values: arm64.libtorchRequirements(), files: ["scripts/setup/arm64.mjs"] }),
  output: () => join(arm64.libtorch, "lib", "libtorch_cpu.so"),
  run: () => arm64.installLibtorch("arm64-libtorch"),
};

const arm64Node = {
  name: "arm64-node",
  title: "Node.js for arm64",
  inputs: () => fingerprint({ files: ["scripts/setup/arm64.mjs"] }),
  output: () => arm64.node,
  run: () => arm64.installNode("arm64-node"),
};

const arm64Sources = [...nativeSources, "scripts/setup/arm64.mjs"];

const arm64Addon = {
  name: "arm64-addon",
  title: "native addon for arm64",
  inputs: () => fingerprint({ values: [pinnedTorch()], files: arm64Sources }),
  output: () => join(arm64.prebuilds, "torch_t5.node"),
  run: () => arm64.buildForArm64("arm64-addon"),
};

const arm64Tests = {
  name: "arm64-tests",
  title: "native test programs for arm64",
  inputs: () => fingerprint({ values: [pinnedTorch()], files: [...arm64Sources, "test/native"] }),
  output: () => join(root, arm64.buildFolder, "test", "native"),
  run: () => arm64.buildForArm64("arm64-tests", { tests: true }),
};

const macosCompiler = {
  name: "macos-compiler",
  title: "a compiler for macOS on arm64 (Zig's, 410 MB)",
  needsVenv: true,
  inputs: () => fingerprint({ files: ["scripts/setup/macos.mjs"] }),
  output: () => macos.zig,
  run: () => macos.installZig("macos-compiler"),
};

const npmSteps = isCheckout ? [npm] : [];
const libtorchSteps = hasLibtorch ? [] : [libtorch];
const typescriptSteps = isCheckout ? [typescript] : [];
const serverSteps = isCheckout ? [server] : [];
const addonSteps = isCheckout || needsBuild ? [buildTools, addon] : [];

const arm64BuildSteps = [...npmSteps, venv, buildTools, arm64Compiler, arm64Libtorch];

/** Of a checkout alone: an installed package builds for its own machine. */
const arm64Profiles = {
  arm64: [...arm64BuildSteps, arm64Addon],
  "arm64-test": [
    ...[...npmSteps, venv, ...libtorchSteps, python, ...addonSteps, ...typescriptSteps],
    ...[...arm64BuildSteps.slice(npmSteps.length + 1), arm64Emulator, arm64Node, macosCompiler],
    ...[arm64Addon, arm64Tests],
  ],
};

/** The steps of each profile, in order. */
export const profiles = {
  demo: [...npmSteps, venv, ...libtorchSteps, ...addonSteps, ...typescriptSteps, ...serverSteps],
  dist: [...npmSteps, ...typescriptSteps],
  // What scripts/prebuild.mjs needs, which compiles the addon itself.
  prebuild: [...npmSteps, venv, ...libtorchSteps, buildTools, ...typescriptSteps],
  docs: [...npmSteps, tools, ...typescriptSteps, ...serverSteps],
  cuda: [...npmSteps, venv, cuda, ...addonSteps, ...typescriptSteps],
  export: [
    ...[...npmSteps, venv, ...(isCheckout ? libtorchSteps : []), python],
    ...[...addonSteps, ...typescriptSteps, ...serverSteps],
  ],
  // Fetches nothing. Where dist/ was compiled on another machine, the TypeScript compiler may be missing.
  offline: [addon, ...(existsSync(join(root, "node_modules", "typescript")) ? typescriptSteps : [])],
  test: [
    ...[...npmSteps, tools, venv, ...libtorchSteps, python, developerTools],
    ...[...addonSteps, nativeTests, ...typescriptSteps, ...serverSteps, clients, programs],
  ],
  ...(isCheckout ? arm64Profiles : {}),
};

function packageFolder(name) {
  const packages = sitePackages();
  return packages && join(packages, name);
}
