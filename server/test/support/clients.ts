// Programs in Python that use the server through published clients.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const inVenv = process.platform === "win32" ? "Scripts/python.exe" : "bin/python";
/** The Python that has the clients. */
export const clientsPython = fileURLToPath(new URL(`../../../.venv-clients/${inVenv}`, import.meta.url));
const MAX_OUTPUT = 2 ** 26;

/** Runs a program of `programs/` to its end. Resolves to the JSON that it prints. */
export async function runClient<Result>(file: URL, args: readonly string[]): Promise<Result> {
  const { stdout } = await promisify(execFile)(clientsPython, [fileURLToPath(file), ...args], {
    maxBuffer: MAX_OUTPUT,
  });
  return JSON.parse(stdout) as Result;
}
