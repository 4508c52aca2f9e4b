// Runs npm: the one that runs this program, or the one on the PATH.
import { env, execPath, platform } from "node:process";
import { runProgram } from "./process.mjs";

/** Runs npm in a folder to its end, as a part of a step. */
export async function runNpm(step, args, cwd) {
  const [program, ...first] = env.npm_execpath?.endsWith(".js")
    ? [execPath, env.npm_execpath]
    : [platform === "win32" ? "npm.cmd" : "npm"];
  await runProgram(step, program, [...first, ...args, "--no-audit", "--no-fund"], { cwd });
}
