// Runs `torch-t5` on a terminal: standard input, output and error are one pseudo-terminal.
import { program } from "./cli.js";
import { type Ended, runToEnd } from "./program.js";
import { pythonPath } from "./python.js";

const SPAWN = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/** Runs `torch-t5 <args...>` to its end. `stdout` has everything that the terminal shows. */
export function onTerminal(args: readonly string[]): Promise<Ended> {
  return runToEnd(pythonPath(), ["-c", SPAWN, process.execPath, program, ...args]);
}
