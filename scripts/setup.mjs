#!/usr/bin/env node
// Sets torch-t5 up: `node scripts/setup.mjs [demo|export|cuda|dist|docs|offline|prebuild|test] [--index <url>]`. Uses only Node's own modules. Each step runs once, and
// again only when its inputs change; an interrupted set-up continues with the step that it was in.
import { existsSync } from "node:fs";
import { argv, env, exit, stderr } from "node:process";
import { parseArgs } from "node:util";
import { acquireLock } from "./setup/lock.mjs";
import { checkPlace, preflight } from "./setup/preflight.mjs";
import { SetupError } from "./setup/process.mjs";
import { isDone, markDone, markPending } from "./setup/stamps.mjs";
import { profiles } from "./setup/steps.mjs";

function isPending(step) {
  const output = step.output();
  return !output || !existsSync(output) || !isDone(step.name, step.inputs());
}

/** The steps that are to run. The virtual environment is made only for a step that uses it. */
function pendingOf(steps) {
  const pending = steps.filter(isPending);
  return pending.some((step) => step.needsVenv) ? pending : pending.filter((step) => !step.isVenv);
}

/** Reads the command line. */
function readArguments() {
  try {
    const options = { index: { type: "string" } };
    const { values, positionals } = parseArgs({ args: argv.slice(2), options, allowPositionals: true });
    return { profiles: positionals.length > 0 ? positionals : ["demo"], index: values.index };
  } catch (error) {
    throw new SetupError(error.message);
  }
}

async function main() {
  const { profiles: given, index } = readArguments();
  const [profile = ""] = given;
  const steps = profiles[profile];
  if (!steps || given.length > 1) {
    throw new SetupError(`Expected one of ${Object.keys(profiles).join(", ")} but received ${given.join(" ")}`);
  }
  // pip reads it.
  if (index !== undefined) env.PIP_INDEX_URL = index;
  if (pendingOf(steps).length === 0) return;
  checkPlace();
  await acquireLock();
  const pending = pendingOf(steps);
  const { python } = preflight({
    needsPython: pending.some((step) => step.needsPython),
    needsCompiler: pending.some((step) => step.needsCompiler),
    diskSpace: pending.map((step) => step.diskSpace).findLast((needed) => needed !== undefined),
  });
  for (const [index, step] of pending.entries()) {
    if (!isPending(step)) continue;
    const started = Date.now();
    stderr.write(`[${index + 1}/${pending.length}] ${step.title}\n`);
    markPending(step.name);
    await step.run({ python });
    markDone(step.name, step.inputs());
    stderr.write(
      `[${index + 1}/${pending.length}] ${step.name} done in ${((Date.now() - started) / 1000).toFixed(1)} s\n`,
    );
  }
}

try {
  await main();
} catch (error) {
  stderr.write(`torch-t5 set-up: ${error instanceof SetupError ? error.message : error.stack}\n`);
  exit(1);
}
