#!/usr/bin/env node
// `npm test`: runs every spec file, one mocha process per folder and two processes at a time. Prints a line for each
// finished spec file, then every failure, then "N passed, N failed". The arguments may select folders, for instance
// `node test/runner/run.mjs --lanes 1 parity export`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import process, { argv, env, execPath, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The tests of the library, and those of the server. */
const TESTS = [join(root, "test"), join(root, "server", "test")];
/** The slowest folders start first, so that all lanes end at about the same time. */
const LONGEST_FIRST = [
  ...["parity", "cli", "native", "export", "process", "unit", "gpu-check", "server/production", "property"],
  ...["package", "setup", "parity/tokenizer", "examples"],
];
/** The minimum number of tests in all folders, a little below their number (about 7,650): fewer mean that some were lost. */
const MIN_TESTS = 7500;
/**
 * Idle OpenMP threads sleep instead of spinning, because the other lane needs their core. This has no effect on results.
 */
const ENVIRONMENT = { OMP_WAIT_POLICY: "PASSIVE", ...env };

const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
const reporter = fileURLToPath(new URL("reporter.ts", import.meta.url));
const started = Date.now();

const { values: options, positionals: names } = parseArgs({
  args: argv.slice(2),
  options: {
    lanes: { type: "string", default: String(Math.min(2, availableParallelism())) },
    // The parents of the folders.
    tests: { type: "string", multiple: true, default: TESTS },
  },
  allowPositionals: true,
});

const posix = (path) => path.replaceAll("\\", "/");
const secondsSince = (time) => Math.round((Date.now() - time) / 1000);

/** The name of a spec file's folder: "unit" of test/unit, "server/production" of server/test/production. */
function nameOf(parent, path) {
  const owner = posix(relative(root, dirname(parent)));
  return posix(TESTS.includes(parent) ? join(owner, dirname(path)) : dirname(path));
}

/** Every folder with spec files, as `{ name, files }`, in the order in which they start. */
function findFolders() {
  const folders = new Map();
  for (const parent of options.tests) {
    for (const path of readdirSync(parent, { recursive: true }).map(posix).sort()) {
      if (!path.endsWith(".spec.ts")) continue;
      const name = nameOf(parent, path);
      folders.set(name, [...(folders.get(name) ?? []), posix(relative(root, join(parent, path)))]);
    }
  }
  const rank = ({ name }) => (LONGEST_FIRST.includes(name) ? LONGEST_FIRST.indexOf(name) : LONGEST_FIRST.length);
  return Array.from(folders, ([name, files]) => ({ name, files })).sort((a, b) => rank(a) - rank(b));
}

/** Runs the spec files of a folder. Resolves to the number of passed tests, and a text for each failure. */
async function run({ name, files }, output) {
  const start = Date.now();
  const child = spawn(execPath, [mocha, "--reporter", reporter, "--reporter-option", `output=${output}`, ...files], {
    cwd: root,
    env: ENVIRONMENT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code, signal] = await once(child, "exit");
  const events = readEvents(output);
  const passed = events.filter(({ kind }) => kind === "passed").length;
  const failed = events.filter(({ kind }) => kind === "failed");
  const failures = failed.map(({ file, title, error }) => `${file}: ${title}\n${error}`);

  const last = events.at(-1);
  if (signal !== null || last?.kind !== "ended" || (code !== 0 && failures.length === 0)) {
    failures.push(`test/${name}: mocha ended with ${signal ?? code} ${describePlace(last)}`);
  }
  for (const file of files) {
    if (!events.some((event) => event.file === file)) failures.push(`${file}: no test ran`);
  }
  stdout.write(`--- ${name}: ${passed} passed, ${failures.length} failed, ${secondsSince(start)} s\n`);
  return { passed, failures };
}

/** The place in the run that the last event shows. */
function describePlace(last) {
  if (last === undefined) return "before any test";
  if (last.kind === "ended") return "after all tests";
  return `${last.kind === "started" ? "at" : "after"} "${last.title}" of ${last.file}`;
}

/** The events that the reporter wrote. */
function readEvents(output) {
  if (!existsSync(output)) return [];
  const lines = readFileSync(output, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}

async function main() {
  const all = findFolders();
  const unknown = names.filter((name) => !all.some((folder) => folder.name === name));
  if (unknown.length > 0) throw new Error(`Expected folders with spec files but received ${unknown.join(", ")}`);
  const lanes = Number(options.lanes);
  if (!Number.isInteger(lanes) || lanes < 1) {
    throw new Error(`Expected a positive integer for --lanes but received ${options.lanes}`);
  }
  const waiting = all.filter(({ name }) => names.length === 0 || names.includes(name));

  const directory = mkdtempSync(join(tmpdir(), "torch-t5-run-"));
  const results = [];
  const lane = async () => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      results.push(await run(folder, join(directory, `${folder.name.replaceAll("/", "-")}.jsonl`)));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  rmSync(directory, { recursive: true });

  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failures = results.flatMap((result) => result.failures);
  const isWhole = names.length === 0 && options.tests.join() === TESTS.join();
  const minTests = isWhole ? MIN_TESTS : 1;
  const ran = passed + failures.length;
  if (ran < minTests) failures.push(`Expected ${minTests} or more tests but ${ran} ran`);
  for (const [index, failure] of failures.entries()) stdout.write(`\n${index + 1}) ${failure}\n`);
  stdout.write(`\n${secondsSince(started)} s\n${passed} passed, ${failures.length} failed\n`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

await main();
