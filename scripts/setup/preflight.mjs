// Checks what the machine itself must have before anything is fetched, and lists everything that is missing in one message.
import { accessSync, constants, existsSync, mkdirSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import process, { env, platform, versions } from "node:process";
import { libtorchDirectory } from "./libtorch.mjs";
import { minimumNode, state } from "./paths.mjs";
import { capture, SetupError } from "./process.mjs";
import { findPython } from "./python.mjs";

const GIB = 1024 ** 3;
/**
 * Free bytes that a set-up needs, measured on Linux x64. `libtorch`: pip's download, the torch wheel and its three CUDA packages
 * unpacked, and the build; `python`: the same with every package that Python's `import torch` needs.
 */
const DISK_SPACE = { libtorch: 3 * GIB, python: 11 * GIB };

/** Throws SetupError unless set-up can write where it is to: the user's cache, or in a checkout the checkout. */
export function checkPlace() {
  try {
    mkdirSync(state, { recursive: true });
    accessSync(state, constants.W_OK);
  } catch (error) {
    const variable = { win32: "LOCALAPPDATA", darwin: "HOME" }[platform] ?? "XDG_CACHE_HOME";
    const advice = `set ${variable} to a folder that can be written`;
    throw new SetupError(`Expected to write to ${state} but received ${error.code ?? error.message}; ${advice}`);
  }
}

/** The reason why no libtorch runs on this system, or undefined. `report`: of Node's process. */
export function systemProblem(report = process.report.getReport()) {
  if (platform !== "linux" || report.header.glibcVersionRuntime !== undefined) return undefined;
  return "a system with glibc: libtorch does not run on musl (Alpine); use Debian, Ubuntu or a slim Node.js image";
}

/** Returns the Python to use, where one is needed. Throws SetupError with everything that is missing. */
export function preflight({ needsCompiler, needsPython, diskSpace }) {
  const missing = [systemProblem()].filter((problem) => problem !== undefined);
  const [major, minor] = versions.node.split(".").map(Number);
  const [minimumMajor, minimumMinor] = minimumNode().split(".").map(Number);
  if (major < minimumMajor || (major === minimumMajor && minor < minimumMinor)) {
    missing.push(`Node.js ${minimumNode()} or newer (this is ${versions.node}): https://nodejs.org`);
  }
  const python = needsPython ? findPython() : undefined;
  if (needsPython && !python) missing.push(`Python 3.10 or newer: ${install("python3 python3-venv", "python@3.12")}`);
  else if (python && !python.hasVenv) missing.push(`Python's venv module: ${install("python3-venv", "python@3.12")}`);
  if (needsCompiler && !hasCompiler()) missing.push(`a C++20 compiler: ${install("g++", "llvm")}`);
  const free = diskSpace && freeBytes();
  if (free !== undefined && free < DISK_SPACE[diskSpace]) {
    missing.push(`${gib(DISK_SPACE[diskSpace])} of free disk space (${gib(free)} are free on the disk of ${state})`);
  }
  if (env.LIBTORCH && !existsSync(libtorchDirectory()))
    missing.push(`the libtorch that LIBTORCH names (${env.LIBTORCH})`);
  if (missing.length > 0) {
    throw new SetupError(
      `This machine lacks what set-up needs. Install it, then run the same command again:\n${missing.map((item) => `  - ${item}`).join("\n")}`,
    );
  }
  return { python };
}

const gib = (bytes) => `${(bytes / GIB).toFixed(1)} GiB`;

function freeBytes() {
  let folder = state;
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function install(debian, homebrew) {
  if (platform === "darwin") return `brew install ${homebrew}`;
  if (platform === "win32") return "https://www.python.org and the Visual Studio Build Tools";
  return `apt-get install ${debian} (Debian, Ubuntu; on other systems the package of that name)`;
}

/** Whether there is a compiler that accepts C++20. On Windows CMake itself finds Visual Studio. */
function hasCompiler() {
  if (platform === "win32") return true;
  const candidates = env.CXX ? [env.CXX] : ["c++", "g++", "clang++"];
  return candidates.some(
    (compiler) => capture(compiler, ["-std=c++20", "-fsyntax-only", "-x", "c++", "/dev/null"]) !== undefined,
  );
}
