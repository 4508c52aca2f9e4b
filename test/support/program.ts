// Runs a program in its own process.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Added to the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** The working directory. Default: that of this process. */
  readonly cwd?: string | undefined;
  /** Called with the process and its stderr so far, whenever stderr grows. */
  readonly watch?: ((child: ChildProcess, stderr: string) => void) | undefined;
}

/** Runs `node <file> <args...>` to its end. */
export function runProgram(file: URL, args: readonly string[] = []): Promise<Ended> {
  return runToEnd(process.execPath, [fileURLToPath(file), ...args]);
}

/** Runs a program to its end. */
export function runToEnd(
  program: string,
  args: readonly string[],
  { env = {}, cwd, watch }: RunOptions = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, cwd, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
      watch?.(child, stderr);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}
