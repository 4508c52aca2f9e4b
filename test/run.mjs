#!/usr/bin/env node
// `npm test`: runs every spec file, those of one folder in one mocha process, two processes at a time. Prints a line for each
// spec file that ends, then every failure, then "N passed, N failed". Folders may be named, for instance
// `node test/run.mjs --lanes 1 parity export`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, posix } from "node:path";
import { argv, env, execPath, exit, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** The folders that take longest start first, so that all lanes end at about the same time. */
const LONGEST_FIRST = ["parity", "cli", "export", "process", "native", "parity/tokenizer", "gpu-check", "demo-model"];
/** Fewer tests than this mean that spec files were lost. */
const MIN_TESTS = 3500;
/**
 * Idle OpenMP threads sleep instead of spinning, because another lane needs their core. This changes when a thread wakes
 * up, and no bit of what it computes.
 */
const ENVIRONMENT = { ...env, OMP_WAIT_POLICY: "PASSIVE" };

const root = fileURLToPath(new URL("..", import.meta.url));
const mocha = join(root, "node_modules", "mocha", "bin", "mocha.js");
const started = Date.now();

/** Every folder with spec files, as `{ name, files }`, in the order in which they start. */
function findFolders() {
  const folders = new Map();
  for (const path of readdirSync(join(root, "test"), { recursive: true })) {
    const file = path.replaceAll("\\", "/");
    if (!file.endsWith(".spec.ts")) continue;
    const name = posix.dirname(file);
    folders.set(name, [...(folders.get(name) ?? []), `test/${file}`]);
  }
  const rank = ({ name }) => (LONGEST_FIRST.indexOf(name) + 1 || LONGEST_FIRST.length + 1) - 1;
  return [...folders].map(([name, files]) => ({ name, files: files.sort() })).sort((a, b) => rank(a) - rank(b));
}

/** Runs the spec files of a folder; resolves to how many tests passed, and a text for each failure. */
async function run({ name, files }, output) {
  const start = Date.now();
  const reporter = ["--reporter", "test/support/reporter.ts", "--reporter-option", `output=${output}`];
  const child = spawn(execPath, [mocha, ...reporter, ...files], {
    cwd: root,
    env: ENVIRONMENT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code, signal] = await once(child, "exit");
  const events = existsSync(output)
    ? readFileSync(output, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
    : [];
  const passed = events.filter(({ kind }) => kind === "passed").length;
  const failures = events
    .filter(({ kind }) => kind === "failed")
    .map((event) => `${event.file}: ${event.title}\n${event.error}`);
  const last = events.at(-1);
  if (code !== 0 && (failures.length === 0 || last.kind === "started")) {
    failures.push(
      `test/${name}: mocha ended with ${signal ?? code} ${last ? `at "${last.title}" of ${last.file}` : "before any test"}`,
    );
  }
  for (const file of files) {
    if (!events.some((event) => event.file === file)) failures.push(`${file}: no test ran`);
  }
  stdout.write(
    `--- test/${name}: ${passed} passed, ${failures.length} failed, ${((Date.now() - start) / 1000).toFixed(0)} s\n`,
  );
  return { passed, failures };
}

async function main() {
  const { values, positionals: names } = parseArgs({
    args: argv.slice(2),
    options: { lanes: { type: "string", default: String(Math.min(2, availableParallelism())) } },
    allowPositionals: true,
  });
  const all = findFolders();
  const unknown = names.filter((name) => !all.some((folder) => folder.name === name));
  if (unknown.length > 0)
    throw new Error(`Expected folders of test/ with spec files but received ${unknown.join(", ")}`);
  const waiting = all.filter(({ name }) => names.length === 0 || names.includes(name));

  const directory = mkdtempSync(join(tmpdir(), "torch-t5-run-"));
  const results = [];
  const lane = async () => {
    for (let folder = waiting.shift(); folder; folder = waiting.shift()) {
      results.push(await run(folder, join(directory, `${folder.name.replaceAll("/", "-")}.jsonl`)));
    }
  };
  await Promise.all(Array.from({ length: Number(values.lanes) }, lane));
  rmSync(directory, { recursive: true });

  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failures = results.flatMap((result) => result.failures);
  if (names.length === 0 && passed + failures.length < MIN_TESTS) {
    failures.push(`Expected at least ${MIN_TESTS} tests but ${passed + failures.length} ran`);
  }
  for (const [index, failure] of failures.entries()) stdout.write(`\n${index + 1}) ${failure}\n`);
  stdout.write(
    `\n${((Date.now() - started) / 60_000).toFixed(1)} minutes\n${passed} passed, ${failures.length} failed\n`,
  );
  exit(failures.length > 0 ? 1 : 0);
}

await main();
