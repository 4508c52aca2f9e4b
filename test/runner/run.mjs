#!/usr/bin/env node
// `npm test`: runs every spec file, those of one folder in one mocha process, two processes at a time. Prints a line for
// each spec file that ends, then every failure, then "N passed, N failed". Folders may be named, for instance
// `node test/runner/run.mjs --lanes 1 parity export`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { argv, env, execPath, exit, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** The folders that take longest start first, so that all lanes end at about the same time. */
const LONGEST_FIRST = ["parity", "cli", "process", "export", "native", "gpu-check", "parity/tokenizer"];
/** If all folders together have fewer tests, some spec files were lost. */
const MIN_TESTS = 3500;
/**
 * Idle OpenMP threads sleep instead of spinning, because the other lane needs their core. This changes when a thread
 * wakes up, and no bit of its results.
 */
const ENVIRONMENT = { OMP_WAIT_POLICY: "PASSIVE", ...env };

const root = fileURLToPath(new URL("../..", import.meta.url));
const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
const reporter = fileURLToPath(new URL("reporter.ts", import.meta.url));
const started = Date.now();

const { values: options, positionals: names } = parseArgs({
  args: argv.slice(2),
  options: {
    lanes: { type: "string", default: String(Math.min(2, availableParallelism())) },
    // Where the folders are.
    tests: { type: "string", default: join(root, "test") },
  },
  allowPositionals: true,
});

const posix = (path) => path.replaceAll("\\", "/");
const secondsSince = (time) => Math.round((Date.now() - time) / 1000);

/** Every folder with spec files, as `{ name, files }`, in the order in which they start. */
function findFolders() {
  const folders = new Map();
  for (const path of readdirSync(options.tests, { recursive: true }).map(posix).sort()) {
    if (!path.endsWith(".spec.ts")) continue;
    const name = posix(dirname(path));
    folders.set(name, [...(folders.get(name) ?? []), posix(relative(root, join(options.tests, path)))]);
  }
  const rank = ({ name }) => (LONGEST_FIRST.includes(name) ? LONGEST_FIRST.indexOf(name) : LONGEST_FIRST.length);
  return Array.from(folders, ([name, files]) => ({ name, files })).sort((a, b) => rank(a) - rank(b));
}

/** Runs the spec files of a folder. Resolves to the number of tests that passed, and a text for each failure. */
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
  if (signal !== null || last?.kind === "started" || (code !== 0 && failures.length === 0)) {
    const where = last === undefined ? "before any test" : `at "${last.title}" of ${last.file}`;
    failures.push(`test/${name}: mocha ended with ${signal ?? code} ${where}`);
  }
  for (const file of files) {
    if (!events.some((event) => event.file === file)) failures.push(`${file}: no test ran`);
  }
  stdout.write(`--- ${name}: ${passed} passed, ${failures.length} failed, ${secondsSince(start)} s\n`);
  return { passed, failures };
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
  const waiting = all.filter(({ name }) => names.length === 0 || names.includes(name));

  const directory = mkdtempSync(join(tmpdir(), "torch-t5-run-"));
  const results = [];
  const lane = async () => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      results.push(await run(folder, join(directory, `${folder.name.replaceAll("/", "-")}.jsonl`)));
    }
  };
  await Promise.all(Array.from({ length: Number(options.lanes) }, lane));
  rmSync(directory, { recursive: true });

  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failures = results.flatMap((result) => result.failures);
  const isWhole = names.length === 0 && options.tests === join(root, "test");
  if (isWhole && passed + failures.length < MIN_TESTS) {
    failures.push(`Expected at least ${MIN_TESTS} tests but ${passed + failures.length} ran`);
  }
  for (const [index, failure] of failures.entries()) stdout.write(`\n${index + 1}) ${failure}\n`);
  stdout.write(`\n${secondsSince(started)} s\n${passed} passed, ${failures.length} failed\n`);
  exit(failures.length > 0 ? 1 : 0);
}

await main();
