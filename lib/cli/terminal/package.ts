// The package's own files, and programs of Node and Python run on them.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";

/** The Python of torch-t5's set-up, or the one that TORCH_T5_PYTHON names. */
export interface Python {
  readonly executable: string;
  readonly version: string;
  /** Packages of the exporter that it lacks. */
  readonly missing: readonly string[];
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const SIGNAL_EXIT = 128;
const EXPORT_PACKAGES = ["torch", "transformers", "safetensors"];
const QUERY = `import importlib.util as u, json, platform, sys
print(json.dumps({"executable": sys.executable, "version": platform.python_version(),
  "missing": [name for name in ${JSON.stringify(EXPORT_PACKAGES)} if not u.find_spec(name)]}))`;

/** The version in package.json. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
  return version;
}

/** The path of one of the package's scripts. */
export function scriptPath(...parts: readonly string[]): string {
  return join(root, "scripts", ...parts);
}

/** Asks the Python that the scripts use about itself; nothing large is imported. Undefined where there is none. */
export function findPython(): Python | undefined {
  const { status, stdout } = spawnSync(execPath, [scriptPath("python.mjs"), "-c", QUERY], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? (JSON.parse(stdout) as Python) : undefined;
}

/** Runs a program on the terminal of this one, to its end; resolves to its exit code. */
export function runToEnd(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args], { stdio: "inherit" });
    // A terminal sends Ctrl-C to the child as well: this one waits until it has tidied up.
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
