// Finds the machine's Python, and installs packages into the virtual environment with it.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { env, platform } from "node:process";
import { clientsProgram, clientsVenv, root, sitePackages, venv, venvProgram } from "./paths.mjs";
import { capture, runProgram } from "./process.mjs";

const MINIMUM = [3, 10];
const CANDIDATES =
  platform === "win32"
    ? ["python", "python3"]
    : ["python3", "python", "python3.13", "python3.12", "python3.11", "python3.10"];
const requirementsFile = join(root, "scripts", "requirements.txt");

/** The first Python that is new enough, as `{ program, hasVenv }`; undefined where there is none. */
export function findPython() {
  const candidates = env.PYTHON ? [env.PYTHON] : CANDIDATES;
  const query =
    "import sys, importlib.util as u; print(*sys.version_info[:2], int(all(map(u.find_spec, ('venv', 'ensurepip')))))";
  for (const program of candidates) {
    const [major, minor, hasVenv] = (capture(program, ["-c", query]) ?? "").split(" ").map(Number);
    if (major === MINIMUM[0] && minor >= MINIMUM[1]) {
      return { program, hasVenv: hasVenv === 1 };
    }
  }
  return undefined;
}

/** The requirements of scripts/requirements.txt that satisfy `isIncluded`, one line each. */
export function requirements(isIncluded = () => true) {
  return readFileSync(requirementsFile, "utf8")
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#") && isIncluded(line));
}

/** The pinned version of torch. */
export function pinnedTorch() {
  const [line] = requirements((text) => text.startsWith("torch=="));
  return line.slice("torch==".length);
}

/** Whether libtorch, or the build with it, needs a requirement: torch itself, and on Linux packages of the CUDA runtime. */
export const isLibtorchRequirement = (line) => line.startsWith("torch==") || line.startsWith("nvidia-");

/** Creates the virtual environment, in place of one that is there. */
export async function createVenv(python) {
  rmSync(venv, { recursive: true, force: true });
  await runProgram("venv", python.program, ["-m", "venv", venv]);
}

/**
 * Creates the environment of the server's clients, whose protobuf and huggingface_hub are older than those of
 * transformers.
 */
export async function createClientsVenv(python, requirementsFile) {
  rmSync(clientsVenv, { recursive: true, force: true });
  await runProgram("clients", python.program, ["-m", "venv", clientsVenv]);
  await pipInstall("clients", ["-r", requirementsFile], clientsProgram("python"));
}

/** Runs pip in the virtual environment, or in that of another Python. */
export async function pipInstall(step, args, program = venvProgram("python")) {
  await runProgram(step, program, ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", ...args]);
}

/**
 * Deletes the metadata of packages whose installation was interrupted, so that pip installs them again. pip writes RECORD
 * last.
 */
export function removeHalfInstalled() {
  const packages = sitePackages();
  if (!packages || !existsSync(packages)) return;
  for (const name of readdirSync(packages)) {
    const broken = name.startsWith("~") || (name.endsWith(".dist-info") && !existsSync(join(packages, name, "RECORD")));
    if (broken) rmSync(join(packages, name), { recursive: true, force: true });
  }
}
