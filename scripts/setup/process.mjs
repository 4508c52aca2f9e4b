// Runs the programs of set-up's steps. On a terminal their output is shown as it comes; elsewhere it goes to a log file, and a
// regular line on standard error shows that the program is alive.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import process, { env, exit, platform, stderr } from "node:process";
import { state, venvBin } from "./paths.mjs";

const HEARTBEAT_MS = 10_000;
const ENDING_SIGNALS = ["SIGINT", "SIGTERM"];
const LOG_TAIL_LINES = 40;

/** A failure whose message is printed without a stack. */
export class SetupError extends Error {}

/** The environment of every child process: its PATH begins with the virtual environment's programs. */
export function childEnvironment() {
  const separator = platform === "win32" ? ";" : ":";
  const pathName = Object.keys(env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  return { ...env, [pathName]: `${venvBin}${separator}${env[pathName] ?? ""}` };
}

/** What a program prints, or undefined where it can't be run or fails. */
export function capture(program, args, environment = env) {
  const result = spawnSync(program, args, { encoding: "utf8", env: environment, windowsHide: true });
  return result.error || result.status !== 0 ? undefined : `${result.stdout}${result.stderr}`.trim();
}

/** Runs a program of a step to its end; its log is `<state>/<step>.log`. Throws SetupError where it fails. */
export async function runProgram(step, program, args, { cwd, variables } = {}) {
  const live = stderr.isTTY;
  mkdirSync(state, { recursive: true });
  const logPath = join(state, `${step}.log`);
  const log = live ? undefined : openSync(logPath, "w");
  const started = Date.now();
  const heartbeat = live
    ? undefined
    : setInterval(() => {
        const lastLine = lastLines(logPath, 1).trim();
        stderr.write(`    ... ${Math.round((Date.now() - started) / 1000)} s${lastLine && `: ${lastLine}`}\n`);
      }, HEARTBEAT_MS);
  let child;
  const endChild = (signal) => {
    child?.kill(signal);
    exit(128 + constants.signals[signal]);
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, endChild);
  try {
    const failure = await new Promise((resolve) => {
      child = spawn(program, args, {
        cwd,
        env: { ...childEnvironment(), ...variables },
        stdio: live ? ["ignore", 2, 2] : ["ignore", log, log],
        shell: platform === "win32" && program.endsWith(".cmd"),
        windowsHide: true,
      });
      child.on("error", (error) => resolve(error.message));
      child.on("exit", (code, signal) => resolve(code === 0 ? undefined : `exit ${code ?? signal}`));
    });
    if (failure) throw new SetupError(describeFailure(step, program, args, failure, live ? undefined : logPath));
  } finally {
    for (const signal of ENDING_SIGNALS) process.off(signal, endChild);
    clearInterval(heartbeat);
    if (log !== undefined) closeSync(log);
  }
}

/** Failures of pip, npm and the compiler that the machine causes, and what to do. */
const KNOWN_CAUSES = [
  [
    /No space left on device|ENOSPC/,
    "The disk is full. Free some space, or set XDG_CACHE_HOME to a folder on another disk, and TMPDIR for downloads.",
  ],
  [
    /ProxyError|Cannot connect to proxy|407 Proxy Authentication/,
    "The proxy refused the connection. Check HTTPS_PROXY (http://user:password@host:port) and NO_PROXY.",
  ],
  [
    /CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT/,
    "The server's certificate is unknown. Give the certificate of your proxy or mirror with PIP_CERT and NODE_EXTRA_CA_CERTS.",
  ],
  [
    /THESE PACKAGES DO NOT MATCH THE HASHES/,
    "A download does not have the SHA-256 of the index. Run the same command again; if it recurs, the mirror is wrong.",
  ],
  [
    /Failed to establish a new connection|NewConnectionError|Temporary failure in name resolution|Network is unreachable|ConnectTimeoutError|Read timed out|ENOTFOUND|EAI_AGAIN|ECONNREFUSED/,
    "No connection. Behind a proxy, set HTTPS_PROXY; with a mirror of PyPI, pass --index <url> or set PIP_INDEX_URL; offline, set LIBTORCH to a libtorch on this machine.",
  ],
];

/** The cause of a failure in words, from what the program printed; undefined where it is unknown. */
export function causeOf(output) {
  return KNOWN_CAUSES.find(([pattern]) => pattern.test(output))?.[1];
}

function describeFailure(step, program, args, failure, logPath) {
  const cause = logPath && causeOf(readFileSync(logPath, "utf8"));
  if (cause) return `Step "${step}" failed. ${cause} Then run the same command again. The log is ${logPath}`;
  const command = [program, ...args].join(" ");
  const tail = logPath ? lastLines(logPath, LOG_TAIL_LINES) : "";
  return `Step "${step}" failed (${failure}):\n  ${command}\n${tail}\nRun the same command again to continue with this step.`;
}

function lastLines(path, count) {
  return readFileSync(path, "utf8").trimEnd().split("\n").slice(-count).join("\n");
}
