// Finds libtorch: in a fixed order of places, its version read from its own files. Python is executed only as the last
// resort.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { env, platform } from "node:process";
import { T5Error } from "../util/errors.js";
import { packageRoot } from "./package-root.js";

/** A libtorch on this machine. */
export interface Libtorch {
  /** The folder of its shared libraries. */
  readonly directory: string;
  /** Its version without a local suffix, for instance "2.15.0". */
  readonly version: string;
  /** The place where it was found, in words: "LIBTORCH", "the torch-t5 cache". */
  readonly source: string;
}

/** A place where libtorch may be. */
interface Candidate {
  readonly source: string;
  /** A folder with `lib/`, or that folder itself. */
  readonly path: string;
}

const LIBRARIES: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  win32: ["c10.dll", "torch_cpu.dll"],
  darwin: ["libc10.dylib", "libtorch_cpu.dylib"],
};
const LINUX_LIBRARIES: readonly string[] = ["libc10.so", "libtorch_cpu.so"];
const PYTHON_QUERY =
  "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
const PYTHON_TIMEOUT_MS = 10_000;

/** The command that repairs an installation: of a checkout, or of the package. */
export const setupCommand = existsSync(join(packageRoot, "tsconfig.build.json"))
  ? "npm run setup"
  : "npx torch-t5 setup";

/** The shared libraries to open, in order. */
export function librariesOf({ directory }: Libtorch): readonly string[] {
  return libraryNames().map((name) => join(directory, name));
}

/**
 * The first libtorch of the wanted version (the same major and minor) in the order: `LIBTORCH`, torch-t5's cache, the
 * package's `.venv`, the active Python's torch. Throws ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_VERSION.
 */
export function locateLibtorch(wanted: string): Libtorch {
  const others: Libtorch[] = [];
  const looked: string[] = [];
  for (const candidate of candidates()) {
    looked.push(`${candidate.source} (${candidate.path})`);
    const directory = findLibraries(candidate.path);
    if (directory !== undefined) {
      const found = { directory, version: readVersion(directory), source: candidate.source };
      if (release(found.version) === release(wanted)) return found;
      others.push(found);
    }
    // The user's choice is final: nothing replaces it.
    if (candidate.source === "LIBTORCH") break;
  }
  throw others.length > 0 ? wrongVersion(wanted, others) : notFound(looked);
}

function* candidates(): Generator<Candidate> {
  if (env.LIBTORCH) yield { source: "LIBTORCH", path: env.LIBTORCH };
  yield* inVenv("the torch-t5 cache", join(cacheDirectory(), "venv"));
  yield { source: "the torch-t5 cache", path: join(cacheDirectory(), "libtorch", "torch") };
  yield* inVenv("the package's .venv", join(packageRoot, ".venv"));
  const python = env.TORCH_T5_PYTHON ?? (platform === "win32" ? "python" : "python3");
  const path = askPython(python);
  if (path) yield { source: `the torch of ${python}`, path };
}

/** torch-t5's folder in the user's cache, where `torch-t5 setup` installs libtorch. */
export function cacheDirectory(): string {
  if (platform === "win32") return join(env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "torch-t5");
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "torch-t5");
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "torch-t5");
}

function* inVenv(source: string, venv: string): Generator<Candidate> {
  const lib = join(venv, "lib");
  const pythons = existsSync(lib) ? readdirSync(lib).filter((name) => name.startsWith("python3")) : [];
  const folders = platform === "win32" ? [join(venv, "Lib")] : pythons.map((name) => join(lib, name));
  for (const folder of folders) yield { source, path: join(folder, "site-packages", "torch") };
  if (folders.length === 0) yield { source, path: venv };
}

/** The folder that a Python would import torch from, found without the import; empty: none. */
function askPython(program: string): string {
  try {
    return execFileSync(program, ["-c", PYTHON_QUERY], {
      encoding: "utf8",
      timeout: PYTHON_TIMEOUT_MS,
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "";
  }
}

function findLibraries(path: string): string | undefined {
  return [join(path, "lib"), path].find((folder) => libraryNames().every((name) => existsSync(join(folder, name))));
}

function libraryNames(): readonly string[] {
  return LIBRARIES[platform] ?? LINUX_LIBRARIES;
}

/** The version in the files of a libtorch, or "unknown". */
function readVersion(directory: string): string {
  const root = basename(directory) === "lib" ? dirname(directory) : directory;
  const text = (...parts: string[]): string => {
    const path = join(root, ...parts);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  };
  const inPython = /__version__ = ['"]([\d.]+)/.exec(text("version.py"))?.[1];
  const inBuild = /^[\d.]+/.exec(text("build-version"))?.[0];
  return inPython ?? inBuild ?? versionInHeader(text) ?? "unknown";
}

function versionInHeader(text: (...parts: string[]) => string): string | undefined {
  const folder = ["include", "torch"];
  const header = text(...folder, "headeronly", "version.h") + text(...folder, "version.h");
  const parts = ["MAJOR", "MINOR", "PATCH"].map((part) => new RegExp(`TORCH_VERSION_${part} (\\d+)`).exec(header)?.[1]);
  return parts.every((part) => part !== undefined) ? parts.join(".") : undefined;
}

/** Major and minor version: patches share libtorch's binary interface. */
function release(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function notFound(looked: readonly string[]): T5Error {
  const message = `Expected libtorch in one of the places where torch-t5 looks but found none; run \`${setupCommand}\`, or set LIBTORCH to a folder that has one. Looked at: ${looked.join(", ")}`;
  return new T5Error("ERR_LIBTORCH_NOT_FOUND", message);
}

function wrongVersion(wanted: string, found: readonly Libtorch[]): T5Error {
  const list = found.map(({ version, source, directory }) => `${version} from ${source} (${directory})`).join(", ");
  const advice = found.some(({ source }) => source === "LIBTORCH")
    ? `unset LIBTORCH, or build the addon against it with \`${setupCommand}\``
    : `run \`${setupCommand}\``;
  const message = `Expected version ${release(wanted)} of libtorch, which the addon was built for, but found ${list}; ${advice}`;
  return new T5Error("ERR_LIBTORCH_VERSION", message);
}
