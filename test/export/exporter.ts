// The exporter as the tests run it: its command line, and Python programs beside the specs.
import { fileURLToPath } from "node:url";
import { type Ended, type RunOptions, runToEnd } from "../support/program.js";
import { pythonPath } from "../support/python.js";

// One thread: the models of these tests are so small that more only lose. No request leaves the machine.
const ENVIRONMENT = { OMP_NUM_THREADS: "1", HF_HUB_OFFLINE: "1", PYTHONWARNINGS: "ignore" };

const exporter = fileURLToPath(new URL("../../scripts/export", import.meta.url));

/** Runs `python scripts/export <arguments>` to its end; `watch` sees the process and its stderr so far. */
export function runExporter(args: readonly string[], watch?: RunOptions["watch"]): Promise<Ended> {
  return runPython([exporter, ...args], watch);
}

/** The same with a Python that has no packages installed. */
export function runExporterWithoutPackages(args: readonly string[]): Promise<Ended> {
  return runPython(["-S", exporter, ...args]);
}

/** Runs a program of test/export/programs to its end; rejects unless it succeeds. Resolves to its stdout. */
export async function runHelper(name: string, args: readonly string[]): Promise<string> {
  const program = fileURLToPath(new URL(`./programs/${name}.py`, import.meta.url));
  const { code, stdout, stderr } = await runPython([program, ...args]);
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${stderr}`);
  return stdout;
}

function runPython(args: readonly string[], watch?: RunOptions["watch"]): Promise<Ended> {
  return runToEnd(pythonPath(), args, { env: ENVIRONMENT, watch });
}
