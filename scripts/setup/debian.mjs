// Installs packages of Debian and its relatives.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import process, { platform } from "node:process";
import { capture, runProgram } from "./process.mjs";

/** While this program exists, Debian's packages start no services when they are installed. */
const POLICY = "/usr/sbin/policy-rc.d";
const NO_SERVICES = "#!/bin/sh\nexit 101\n";

const NO_QUESTIONS = ["-o", "DPkg::Options::=--force-confold", "-o", "DPkg::Lock::Timeout=300"];

/** Whether this process may install packages: it is root's, on a machine with apt-get. */
export function mayInstallPackages() {
  return platform === "linux" && process.getuid() === 0 && capture("apt-get", ["--version"]) !== undefined;
}

/** Installs packages with apt-get, without questions, and without starting their services. */
export async function installPackages(step, packages, { policy = POLICY } = {}) {
  const aptGet = (args) =>
    runProgram(step, "env", ["DEBIAN_FRONTEND=noninteractive", "apt-get", ...NO_QUESTIONS, ...args]);
  const removePolicy = () => rmSync(policy, { force: true });
  const addsPolicy = !existsSync(policy);
  if (addsPolicy) {
    process.once("exit", removePolicy); // a signal ends set-up without running what follows
    writeFileSync(policy, NO_SERVICES, { mode: 0o755 });
  }
  try {
    await aptGet(["update"]);
    await aptGet(["install", "-y", "--no-install-recommends", ...packages]);
  } finally {
    if (addsPolicy) {
      removePolicy();
      process.off("exit", removePolicy);
    }
  }
}
