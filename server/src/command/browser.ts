// Opens a page in the user's browser.
import { spawn } from "node:child_process";
import { platform } from "node:process";

const PROGRAMS: Partial<Readonly<Record<NodeJS.Platform, readonly [program: string, ...args: readonly string[]]>>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};

/** Does nothing where there is no browser: the address is printed in any case. */
export function openInBrowser(url: string): void {
  const [program, ...args] = PROGRAMS[platform] ?? ["xdg-open"];
  const child = spawn(program, [...args, url], { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}
