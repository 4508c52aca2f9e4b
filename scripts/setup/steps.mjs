// The steps of set-up, in order. A step names its inputs (it runs again when they change) and the output that must exist.
import { chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { env, execPath, platform } from "node:process";
import { buildAddon, findBuildTools } from "./addon.mjs";
import { isCheckout, libtorchDirectory, root, sitePackages, venvProgram } from "./paths.mjs";
import { run } from "./process.mjs";
import {
  createVenv,
  forgetHalfInstalled,
  isLibtorchRequirement,
  pinnedTorch,
  pipInstall,
  requirements,
} from "./python.mjs";
import { fingerprint } from "./stamps.mjs";

/** An index that serves the wheel of torch, for instance PyTorch's own with its 200 MB CPU build. */
const torchIndex = env.TORCH_T5_TORCH_INDEX;

const npm = {
  name: "npm",
  says: "npm dependencies",
  inputs: () => fingerprint({ files: ["package-lock.json"] }),
  output: () => join(root, "node_modules", ".package-lock.json"),
  async perform() {
    const cli = env.npm_execpath?.endsWith(".js")
      ? [execPath, [env.npm_execpath]]
      : [platform === "win32" ? "npm.cmd" : "npm", []];
    await run("npm", cli[0], [...cli[1], "ci", "--no-audit", "--no-fund"], { cwd: root });
  },
};

const venv = {
  name: "venv",
  says: "Python virtual environment",
  needsPython: true,
  inputs: () => fingerprint({ values: ["venv"] }),
  output: () => venvProgram("python"),
  perform: ({ python }) => createVenv(python),
};

const libtorch = {
  name: "libtorch",
  says: `libtorch ${pinnedTorch()} (the torch wheel without its dependencies)`,
  room: "libtorch",
  inputs: () => fingerprint({ values: [...requirements(isLibtorchRequirement), torchIndex] }),
  output: () => libtorchLibrary(),
  async perform() {
    forgetHalfInstalled();
    const specs = requirements(torchIndex ? (line) => line.startsWith("torch==") : isLibtorchRequirement);
    await pipInstall("libtorch", ["--no-deps", ...(torchIndex ? ["--index-url", torchIndex] : []), ...specs]);
  },
};

const buildTools = {
  name: "build-tools",
  says: "cmake and ninja",
  inputs: () => fingerprint({ values: ["build-tools"] }),
  output: () => findBuildTools() && root,
  perform: () => pipInstall("build-tools", ["cmake>=3.26", "ninja"]),
};

const nativeSources = ["native", "CMakeLists.txt", "cmake", "scripts/setup/addon.mjs"];

const addon = {
  name: "addon",
  says: "native addon",
  needsCompiler: true,
  inputs: () => fingerprint({ values: [pinnedTorch(), libtorchDirectory()], files: nativeSources }),
  output: () => join(root, "build", "Release", "torch_t5.node"),
  perform: () => buildAddon(),
};

const nativeTests = {
  name: "native-tests",
  says: "programs of the native tests",
  needsCompiler: true,
  inputs: () => fingerprint({ values: [pinnedTorch(), libtorchDirectory()], files: [...nativeSources, "test/native"] }),
  output: () => join(root, "build", "test", "native"),
  perform: () => buildAddon({ tests: true }),
};

const typescript = {
  name: "typescript",
  says: "TypeScript",
  inputs: () => fingerprint({ files: ["lib", "tsconfig.json", "tsconfig.build.json", "package-lock.json"] }),
  output: () => join(root, "dist", "index.js"),
  async perform() {
    const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
    await run("typescript", execPath, [compiler, "-p", "tsconfig.build.json"], { cwd: root });
    // npm makes the programs of an installed package executable, but not those of a checkout: `npx torch-t5` needs it.
    chmodSync(join(root, "dist", "cli", "main.js"), 0o755);
  },
};

const python = {
  name: "python",
  says: "Python's torch and transformers (4.9 GB unpacked on Linux: the torch wheel is the CUDA build)",
  room: "python",
  inputs: () => fingerprint({ files: ["scripts/requirements.txt"] }),
  output: () => packageFolder("transformers"),
  async perform() {
    forgetHalfInstalled();
    await pipInstall(
      "python",
      requirements((line) => !line.startsWith("nvidia-")),
    );
  },
};

const developerTools = {
  name: "developer-tools",
  says: "ruff, clang-format and texts to test tokenizers on",
  inputs: () => fingerprint({ files: ["scripts/requirements-dev.txt"] }),
  output: () => venvProgram("ruff"),
  async perform() {
    forgetHalfInstalled();
    await pipInstall("developer-tools", ["-r", join(root, "scripts", "requirements-dev.txt")]);
  },
};

const fetchLibtorch = env.LIBTORCH ? [] : [libtorch];
const fromSource = isCheckout ? [npm] : [];
const compiled = isCheckout ? [typescript] : [];
const hasPrebuilt = existsSync(join(root, "prebuilds", `${platform}-${process.arch}`, "torch_t5.node"));
const native = hasPrebuilt && !isCheckout ? [] : [buildTools, addon];

/** What each way of use consists of. */
export const profiles = {
  demo: [...fromSource, venv, ...fetchLibtorch, ...native, ...compiled],
  export: [...fromSource, venv, ...fetchLibtorch, python, ...native, ...compiled],
  // What is there already: nothing is fetched. TypeScript that was compiled elsewhere may have come without its compiler.
  offline: [addon, ...(existsSync(join(root, "node_modules", "typescript")) ? compiled : [])],
  test: [...fromSource, venv, ...fetchLibtorch, python, developerTools, ...native, nativeTests, ...compiled],
};

function packageFolder(name) {
  const packages = sitePackages();
  return packages && join(packages, name);
}

function libtorchLibrary() {
  const folder = packageFolder("torch");
  const file = { win32: "torch_cpu.dll", darwin: "libtorch_cpu.dylib" }[platform] ?? "libtorch_cpu.so";
  return folder && join(folder, "lib", file);
}
