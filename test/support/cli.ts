// Runs `torch-t5` in its own process, as a shell does: to its end, while a test watches it, or on a terminal.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { type Ended, runToEnd } from "./program.js";
import { pythonPath } from "./python.js";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const program = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

const SPAWN = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/** Runs `torch-t5 <args...>` to its end, with `input` on its standard input. */
export async function torchT5(
  args: readonly string[],
  { input = "", env = {} }: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Finished> {
  const child = start(args, env);
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, stdout, stderr };
}

/** Runs `torch-t5 <args...>` on a pseudo-terminal to its end. `stdout` has everything that the terminal shows. */
export function onTerminal(args: readonly string[]): Promise<Ended> {
  return runToEnd(pythonPath(), ["-c", SPAWN, process.execPath, program, ...args]);
}

/** A `torch-t5 <args...>` that runs: its input, and its output so far. */
export class Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[]) {
    this.child = start(args);
    this.child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      this.stdout += chunk;
    });
    this.child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.stderr += chunk;
    });
    this.ended = once(this.child, "close").then(([code, signal]) => ({ code, signal }));
  }

  /** Resolves to the first `count` lines, once they are printed. */
  async lines(count: number): Promise<readonly string[]> {
    while (this.stdout.split("\n").length <= count) await once(this.child.stdout, "data");
    return this.stdout.split("\n").slice(0, count);
  }
}

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...env } });
  // Writing fails when the program has ended without reading its input.
  child.stdin.on("error", () => {});
  return child;
}
