// Runs the exporter: its command line, and the Python programs of these tests.
import { fileURLToPath } from "node:url";
import { type Ended, type RunOptions, runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";

// One thread is fastest for models as small as those of these tests. No request leaves the machine.
const ENVIRONMENT = { OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1", PYTHONWARNINGS: "ignore" };

/** The outcome of one of several command lines. */
export interface Reply {
  readonly code: number;
  readonly stderr: string;
}

const exporter = fileURLToPath(new URL("../../scripts/export", import.meta.url));

/** Runs `python scripts/export <arguments>` to its end. `watch` gets the process and its stderr so far. */
export function runExporter(args: readonly string[], watch?: RunOptions["watch"]): Promise<Ended> {
  return runPython([exporter, ...args], watch);
}

/**
 * Runs several command lines of the exporter in one Python process, because importing its libraries takes seconds. The
 * archives differ from those of separate processes in the names of TorchScript's classes.
 */
export async function runExporterTimes(commands: readonly (readonly string[])[]): Promise<readonly Reply[]> {
  return JSON.parse(await runHelper("command_lines", [JSON.stringify(commands)])) as Reply[];
}

/** Runs the exporter with a Python that has no packages installed. */
export function runExporterWithoutPackages(args: readonly string[]): Promise<Ended> {
  return runPython(["-S", exporter, ...args]);
}

/** Runs a program of test/export/programs to its end. Resolves to its stdout, and rejects unless it succeeds. */
export async function runHelper(name: string, args: readonly string[]): Promise<string> {
  const program = fileURLToPath(new URL(`./programs/${name}.py`, import.meta.url));
  const { code, stdout, stderr } = await runPython([program, ...args]);
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Runs lines of Python to their end. Rejects unless they succeed. */
export async function runCode(code: string): Promise<void> {
  const ended = await runPython(["-c", code]);
  if (ended.code !== 0) throw new Error(`${code} ended with ${ended.code}: ${ended.stderr}`);
}

function runPython(args: readonly string[], watch?: RunOptions["watch"]): Promise<Ended> {
  return runToEnd(pythonPath(), args, { env: ENVIRONMENT, watch });
}
