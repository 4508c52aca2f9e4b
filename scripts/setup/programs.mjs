// Programs of the system that the server's tests run. On Debian and its relatives, root installs those that are missing.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import process, { env, platform } from "node:process";
import { capture, runProgram, SetupError } from "./process.mjs";

/** Each program: the names that it may have on the PATH, Debian's package, Homebrew's, and which tests run it. */
export const PROGRAMS = [
  { names: ["redis-server"], debian: "redis-server", homebrew: "redis", use: "bulk jobs" },
  {
    names: ["chromium", "chromium-browser", "google-chrome"],
    debian: "chromium",
    homebrew: "chromium",
    use: "the inspector",
  },
  { names: ["nginx"], debian: "nginx-light", homebrew: "nginx", use: "the example of a load balancer" },
];

/** Debian's services are not on the PATH of every user. */
const SEARCHED = { ...env, PATH: `${env.PATH ?? ""}:/usr/sbin:/usr/local/sbin` };

/** The path of the first of some names on the PATH, or undefined. */
function findProgram(names) {
  return capture("sh", ["-c", 'for name; do command -v "$name" && exit; done; exit 1', "sh", ...names], SEARCHED);
}

/** The programs that the machine lacks. */
export function missingPrograms() {
  return PROGRAMS.filter(({ names }) => findProgram(names) === undefined);
}

/** While this program exists, Debian's packages start no services when they are installed. */
const POLICY = "/usr/sbin/policy-rc.d";
const NO_SERVICES = "#!/bin/sh\nexit 101\n";

const NO_QUESTIONS = ["-o", "DPkg::Options::=--force-confold", "-o", "DPkg::Lock::Timeout=300"];

/** Installs the missing programs with apt-get. Throws SetupError with all of them where that can't be. */
export async function installPrograms({ policy = POLICY } = {}) {
  const missing = missingPrograms();
  if (missing.length === 0) return;
  if (platform !== "linux" || process.getuid() !== 0 || capture("apt-get", ["--version"]) === undefined) {
    throw new SetupError(describe(missing));
  }
  const removePolicy = () => rmSync(policy, { force: true });
  const addsPolicy = !existsSync(policy);
  if (addsPolicy) {
    process.once("exit", removePolicy); // a signal ends set-up without running what follows
    writeFileSync(policy, NO_SERVICES, { mode: 0o755 });
  }
  try {
    await aptGet(["update"]);
    await aptGet(["install", "-y", "--no-install-recommends", ...missing.map(({ debian }) => debian)]);
  } finally {
    if (addsPolicy) {
      removePolicy();
      process.off("exit", removePolicy);
    }
  }
  const still = missingPrograms();
  if (still.length > 0) throw new SetupError(describe(still));
}

function aptGet(args) {
  return runProgram("programs", "env", ["DEBIAN_FRONTEND=noninteractive", "apt-get", ...NO_QUESTIONS, ...args]);
}

function describe(missing) {
  const lines = missing.map(({ names, use }) => `  - ${names.join(" or ")}: tests of ${use}`);
  const packages = (manager) => missing.map((program) => program[manager]).join(" ");
  const commands = `apt-get install ${packages("debian")} (Debian, as root); brew install ${packages("homebrew")} (macOS)`;
  return `The server's tests run programs that this machine lacks:\n${lines.join("\n")}\nInstall them: ${commands}`;
}
