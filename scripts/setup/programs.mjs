// Programs of the system that the server's tests run. On Debian and its relatives, root installs those that are missing.
import { env } from "node:process";
import { installPackages, mayInstallPackages } from "./debian.mjs";
import { capture, SetupError } from "./process.mjs";

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

/** Installs the missing programs with apt-get. Throws SetupError with all of them where that can't be. */
export async function installPrograms(options) {
  const missing = missingPrograms();
  if (missing.length === 0) return;
  if (!mayInstallPackages()) throw new SetupError(describe(missing));
  const packages = missing.map(({ debian }) => debian);
  await installPackages("programs", packages, options);
  const still = missingPrograms();
  if (still.length > 0) throw new SetupError(describe(still));
}

function describe(missing) {
  const lines = missing.map(({ names, use }) => `  - ${names.join(" or ")}: tests of ${use}`);
  const packages = (manager) => missing.map((program) => program[manager]).join(" ");
  const commands = `apt-get install ${packages("debian")} (Debian, as root); brew install ${packages("homebrew")} (macOS)`;
  return `The server's tests run programs that this machine lacks:\n${lines.join("\n")}\nInstall them: ${commands}`;
}
