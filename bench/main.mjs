#!/usr/bin/env node
// `npm run bench [-- suite ...] [--threads 2] [--trials 7] [--repetitions 15]`: prints a Markdown report.
import { cpus } from "node:os";
import { argv, stdout, versions } from "node:process";
import { parseArgs } from "node:util";
import { eventLoop } from "./suites/event-loop.mjs";
import { forward } from "./suites/forward.mjs";
import { generate } from "./suites/generate.mjs";
import { load } from "./suites/load.mjs";
import { memory } from "./suites/memory.mjs";
import { overhead } from "./suites/overhead.mjs";
import { tokenizer } from "./suites/tokenizer.mjs";

const suites = { forward, generate, load, overhead, memory, "event-loop": eventLoop, tokenizer };

const { values, positionals } = parseArgs({
  args: argv.slice(2),
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "2" },
    trials: { type: "string", default: "7" },
    repetitions: { type: "string", default: "15" },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(suites);
const unknown = names.find((name) => !(name in suites));
if (unknown) throw new Error(`Expected one of ${Object.keys(suites).join(", ")} for suite but received ${unknown}`);

const settings = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
const processor = cpus()[0]?.model ?? "unknown processor";
stdout.write(`# torch-t5 benchmarks\n\n${processor}, ${cpus().length} cores, Node ${versions.node}, `);
stdout.write(`${settings.threads} threads, ${settings.trials} trials; random-weight t5-small, float32.\n\n`);
for (const name of names) stdout.write(`${await suites[name](settings)}\n\n`);
