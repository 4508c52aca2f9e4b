// A `torch-t5` that runs: its output so far, its input, and signals to it.
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { program } from "./cli.js";

/** A running `torch-t5 <args...>`. */
export class Running {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stdout = "";
  stderr = "";

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [program, ...args]);
    // Writing fails when the program has ended.
    this.child.stdin.on("error", () => {});
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
