// The installed package: package.json, its scripts, and the Node.js and Python that run them.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import process, { execPath } from "node:process";
import { fileURLToPath } from "node:url";

/** The Python of torch-t5's set-up, or the one that TORCH_T5_PYTHON names. */
interface Python {
  readonly executable: string;
  readonly version: string;
  /** The exporter's packages that aren't installed. */
  readonly missing: readonly string[];
}

interface PackageJson {
  readonly version: string;
  readonly engines: { readonly node: string };
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** A shell reports a process that a signal ended with exit code 128 plus the signal's number. */
const SIGNAL_EXIT = 128;
const EXPORT_PACKAGES = ["torch", "transformers", "safetensors"];
/** `find_spec` looks for a package without importing it. */
const QUERY = `import importlib.util as u, json, platform, sys
print(json.dumps({"executable": sys.executable, "version": platform.python_version(),
  "missing": [name for name in ${JSON.stringify(EXPORT_PACKAGES)} if not u.find_spec(name)]}))`;

/** The version of torch-t5. */
export function packageVersion(): string {
  return packageJson().version;
}

/** The oldest Node.js that works, for instance "20.19". */
export function minimumNode(): string {
  return packageJson().engines.node.replace(">=", "");
}

/** The path of one of the package's scripts. */
export function scriptPath(...parts: readonly string[]): string {
  return join(root, "scripts", ...parts);
}

/** The Python that runs the scripts; undefined where there is none. */
export function findPython(): Python | undefined {
  const { status, stdout } = spawnSync(execPath, [scriptPath("python.mjs"), "-c", QUERY], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? (JSON.parse(stdout) as Python) : undefined;
}

/** Runs a program on this process's terminal. Resolves to its exit code. */
export function runToEnd(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { stdio: "inherit" });
    // A terminal sends Ctrl-C to the child as well. This process waits until the child has cleaned up.
    const wait = () => {};
    const end = () => child.kill("SIGTERM");
    process.on("SIGINT", wait);
    process.on("SIGTERM", end);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("SIGINT", wait);
      process.off("SIGTERM", end);
      resolve(code ?? SIGNAL_EXIT + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function packageJson(): PackageJson {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as PackageJson;
}
