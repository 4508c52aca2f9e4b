// Downloads the torch wheel so that an interrupted download goes on where it was, which pip's does not.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { state, venvProgram } from "./paths.mjs";
import { capture, runProgram } from "./process.mjs";

const PYPI = "https://pypi.org/simple";
const folder = join(state, "downloads");
const program = join(dirname(fileURLToPath(import.meta.url)), "fetch_wheel.py");

/** Settings of pip that do not change which wheel it takes, or that the program has, too. With any other, pip downloads. */
const HONOURED = [
  "index-url",
  "cert",
  "timeout",
  "default-timeout",
  "disable-pip-version-check",
  "no-input",
  "cache-dir",
  "progress-bar",
];

/** The settings of pip's files and of its variables, as `pip config list` prints them; a variable comes last. */
function pipSettings() {
  const lines = (capture(venvProgram("python"), ["-m", "pip", "config", "list"]) ?? "").split("\n");
  return Object.fromEntries(
    lines
      .map((line) => /^(:env:|global|install|download)\.([\w-]+)='(.*)'$/.exec(line.trim()))
      .filter((match) => match !== null)
      .sort(([, a], [, b]) => Number(a === ":env:") - Number(b === ":env:"))
      .map(([, , name, value]) => [name, value]),
  );
}

/**
 * Downloads the wheel of a requirement from `index`, by default pip's. Resolves to its path, or to undefined where pip is to
 * choose and download it.
 */
export async function fetchWheel(requirement, index) {
  const settings = pipSettings();
  if (Object.keys(settings).some((name) => !HONOURED.includes(name))) return undefined;
  const from = index ?? settings["index-url"] ?? PYPI;
  await runProgram("download", venvProgram("python"), [program, requirement, from, folder], {
    variables: settings.cert === undefined ? {} : { PIP_CERT: settings.cert },
  });
  const name = existsSync(folder) ? readdirSync(folder).find((file) => file.endsWith(".whl")) : undefined;
  return name && join(folder, name);
}

/** Deletes what was downloaded, once it is installed. */
export function deleteDownloads() {
  rmSync(folder, { recursive: true, force: true });
}
