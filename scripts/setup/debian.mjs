// Installs Debian's packages.
import process, { platform } from "node:process";
import { capture, runProgram, SetupError } from "./process.mjs";

/**
 * Installs packages with apt-get. Throws SetupError where it can't: elsewhere than on Debian, and for other users than
 * root. `purpose`: what needs them. `elsewhere`: how other systems install the same, if they have it.
 */
export async function installPackages(step, packages, { purpose, elsewhere }) {
  const names = packages.join(" ");
  if (platform !== "linux" || process.getuid() !== 0 || capture("apt-get", ["--version"]) === undefined) {
    const other = elsewhere === undefined ? "" : `; ${elsewhere}`;
    const advice = `install it (Debian: apt-get install ${names}${other})`;
    throw new SetupError(`Expected ${names} on the PATH, which ${purpose}: ${advice}`);
  }
  await runProgram(step, "apt-get", ["update"]);
  const noQuestions = ["-o", "DPkg::Options::=--force-confold", "--no-install-recommends"];
  await runProgram(step, "apt-get", ["install", "-y", ...noQuestions, ...packages]);
}
