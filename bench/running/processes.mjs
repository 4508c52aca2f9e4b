// One fresh process per trial: no trial inherits another's warm caches, allocator or threads.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { env, platform } from "node:process";
import { root } from "../../scripts/setup/paths.mjs";

const logs = join(root, "bench", ".work", "logs");
const TAIL_CHARACTERS = 1500;
/** No peer reports home, asks a hub or warns while it is measured. */
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
 * Runs a trial program with a JSON request as its argument; resolves to the JSON on the last line it prints. Rejects with the end of what
 * it said when it fails, or was still running after `timeout` seconds.
 */
export async function runTrial(program, file, request, { threads, timeout }) {
  const child = spawn(program, [join(root, "bench", "trials", file), JSON.stringify(request)], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, ...QUIET, OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) },
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors = (errors + chunk).slice(-TAIL_CHARACTERS);
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeout * 1000);
  const end = await ended(child).finally(() => clearTimeout(timer));
  if (isLate) throw new Error(`still running after ${timeout} s`);
  if (end !== 0) throw new Error(`ended with ${end}: ${lastWords(errors)}`);
  return JSON.parse(output.trim().split("\n").at(-1));
}

/** Runs a program that prepares something to its end; what it prints goes to a log. */
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
    const end = await ended(child);
    if (end !== 0) throw new Error(`${name} ended with ${end}, see ${path}: ${lastWords(readFileSync(path, "utf8"))}`);
  } finally {
    closeSync(log);
  }
}

function ended(child) {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? signal));
  });
}

/** The last line that says something: a Python or Node error names itself there, before Node's version. */
function lastWords(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !/^Node\.js v/.test(line));
  const named = lines.findLast((line) => /^\S*(Error|Exception)\b/.test(line));
  return (named ?? lines.at(-1) ?? "no word").trim();
}
