// What the machine itself must have. Everything that is missing is told in one message, before anything is fetched.
import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { env, platform, versions } from "node:process";
import { libtorchDirectory, state } from "./paths.mjs";
import { capture, SetupError } from "./process.mjs";
import { findPython } from "./python.mjs";

const GIB = 1024 ** 3;
// Measured on Linux x64: the torch wheel unpacked with its two CUDA packages, pip's download beside it, the build; and
// the same with everything that Python's `import torch` asks for.
const ROOM = { libtorch: 3 * GIB, python: 11 * GIB };

/** Checks the machine for a set-up that consists of the given steps; returns what was found. */
export function preflight({ needsCompiler, needsPython, room }) {
  const missing = [];
  const [major, minor] = versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    missing.push(`Node.js 20.19 or newer (this is ${versions.node}): https://nodejs.org`);
  }
  const python = needsPython ? findPython() : undefined;
  if (needsPython && !python) missing.push(`Python 3.10 or newer: ${install("python3 python3-venv", "python@3.12")}`);
  else if (python && !python.hasVenv) missing.push(`Python's venv module: ${install("python3-venv", "python@3.12")}`);
  if (needsCompiler && !hasCompiler()) missing.push(`a C++20 compiler: ${install("g++", "llvm")}`);
  const free = room && freeBytes();
  if (free !== undefined && free < ROOM[room]) {
    missing.push(`${gib(ROOM[room])} of free disk space (${gib(free)} are free where the project lies)`);
  }
  if (env.LIBTORCH && !existsSync(libtorchDirectory()))
    missing.push(`the libtorch that LIBTORCH names (${env.LIBTORCH})`);
  if (missing.length > 0) {
    throw new SetupError(
      `Set-up needs what this machine lacks. Install it, then run the same command again:\n${missing.map((item) => `  - ${item}`).join("\n")}`,
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
  return `apt-get install ${debian} (Debian, Ubuntu; other systems: the package of that name)`;
}

/** Whether a compiler accepts C++20; Visual Studio is found by CMake itself. */
function hasCompiler() {
  if (platform === "win32") return true;
  const candidates = env.CXX ? [env.CXX] : ["c++", "g++", "clang++"];
  return candidates.some(
    (compiler) => capture(compiler, ["-std=c++20", "-fsyntax-only", "-x", "c++", "/dev/null"]) !== undefined,
  );
}
