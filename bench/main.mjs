#!/usr/bin/env node
// `npm run bench`: measures torch-t5 and its peers, and writes a report. See docs/benchmarks.md or `npm run bench -- --help`.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { argv, exit, stderr, stdout } from "node:process";
import { root } from "../scripts/setup/paths.mjs";
import { readArguments, USAGE } from "./arguments.mjs";
import { writeDocs } from "./report/docs.mjs";
import { renderReport } from "./report/markdown.mjs";
import { openResults, readResults } from "./report/results.mjs";
import { describeMachine } from "./running/machine.mjs";
import { planTrials } from "./running/plan.mjs";
import { prepareTrials, runTrials } from "./running/run.mjs";

const RESULTS = "results.jsonl";
const REPORT = "report.md";

async function main() {
  const { command, output, docs, ...settings } = readArguments(argv.slice(2));
  if (command === "help") return stdout.write(USAGE);
  if (command === "report") return report(resolve(settings.file), resolve(output ?? dirname(settings.file)));
  if (command === "docs") return document(resolve(settings.file));
  if (command === "prepare") return prepareTrials(planTrials(settings));
  const started = new Date();
  const directory = resolve(output ?? join(root, "bench", ".work", "results", stamp(started)));
  const write = openResults(join(directory, RESULTS));
  write({ type: "run", started: started.toISOString(), settings, machine: describeMachine() });
  await runTrials(planTrials(settings), settings, write);
  report(join(directory, RESULTS), directory);
  if (docs) document(join(directory, RESULTS));
}

/** Writes the tables and plots of services into docs/. */
function document(file) {
  const written = writeDocs(readResults(file), join(root, "docs"));
  stderr.write(written.length > 0 ? `Wrote ${written.join(", ")}\n` : `${file} has no results for the documentation\n`);
}

/** Writes the report and its plots to a directory. */
function report(file, directory) {
  const { markdown, plots } = renderReport(readResults(file));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, REPORT), markdown);
  for (const [name, svg] of plots) writeFileSync(join(directory, name), svg);
  stdout.write(`${markdown}\n`);
  stderr.write(`Wrote ${join(directory, REPORT)} and ${plots.size} plots from ${file}\n`);
}

/** A time as a file name that is valid on every system and sorts by time. */
function stamp(date) {
  return date.toISOString().slice(0, 19).replaceAll(":", "-");
}

try {
  await main();
} catch (error) {
  stderr.write(`bench: ${error.message}\n`);
  exit(1);
}
