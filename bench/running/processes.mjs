// Runs each trial in a fresh process, without the warm caches, allocator and threads of another trial.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { env, platform } from "node:process";
import { createInterface } from "node:readline";
import { root } from "../../scripts/setup/paths.mjs";

const logs = join(root, "bench", ".work", "logs");
const TAIL_CHARACTERS = 1500;
/** Keeps peers from warnings, telemetry and requests to the Hub while they are measured. */
const QUIET = {
  PYTHONWARNINGS: "ignore",
  TRANSFORMERS_VERBOSITY: "error",
  HF_HUB_OFFLINE: "1",
  HF_HUB_DISABLE_TELEMETRY: "1",
  HF_HUB_DISABLE_PROGRESS_BARS: "1",
  TOKENIZERS_PARALLELISM: "false",
  CI: "true",
};

/**
 * Runs a trial program with a JSON request as its argument. Calls `onCase` with each case that it prints, a line of JSON with a
 * property `case`. Resolves to the JSON of the last line. Rejects with its last error message where it fails, or still runs after
 * `timeout` seconds.
 */
export async function runTrial(program, file, request, { threads, timeout }, onCase = () => {}) {
  const child = spawn(program, [join(root, "bench", "trials", file), JSON.stringify(request)], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, ...QUIET, OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) },
  });
  let last = "";
  let errors = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.trim() === "") return;
    last = line;
    const measured = line.startsWith('{"case"') ? JSON.parse(line) : undefined;
    if (measured) onCase(measured);
  });
  child.stderr.on("data", (chunk) => {
    errors = (errors + chunk).slice(-TAIL_CHARACTERS);
  });
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    child.kill("SIGKILL");
  }, timeout * 1000);
  const end = await exitOf(child).finally(() => clearTimeout(timer));
  if (isTimedOut) throw new Error(`still running after ${timeout} s`);
  if (end !== 0) throw new Error(`ended with ${end}: ${lastMessage(errors)}`);
  return JSON.parse(last);
}

/** Runs a program that prepares something. Its output goes to a log file. */
export async function runProgram(name, program, args, { cwd = root } = {}) {
  mkdirSync(logs, { recursive: true });
  const path = join(logs, `${name}.log`);
  const log = openSync(path, "a");
  try {
    const child = spawn(program, args, {
      cwd,
      stdio: ["ignore", log, log],
      env: { ...env, ...QUIET },
      shell: platform === "win32" && program.endsWith(".cmd"),
    });
    const end = await exitOf(child);
    if (end !== 0)
      throw new Error(`${name} ended with ${end}, see ${path}: ${lastMessage(readFileSync(path, "utf8"))}`);
  } finally {
    closeSync(log);
  }
}

function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? signal));
  });
}

/** The last line that begins with the name of an error, as in Python and Node.js, or else the last line. */
function lastMessage(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^Node\.js v/.test(line));
  const named = lines.findLast((line) => /^\S*(Error|Exception)\b/.test(line));
  return (named ?? lines.at(-1) ?? "no output").trim();
}
