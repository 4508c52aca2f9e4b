#!/usr/bin/env node
// Sets torch-t5 up: `node scripts/setup.mjs [demo|export|offline|test]`. Only Node's own modules are used. Each step is done once,
// and again only when its inputs change; an interrupted set-up continues where it was.
import { existsSync } from "node:fs";
import { argv, exit, stderr } from "node:process";
import { acquireLock } from "./setup/lock.mjs";
import { preflight } from "./setup/preflight.mjs";
import { SetupError } from "./setup/process.mjs";
import { isDone, markDone, markStarted } from "./setup/stamps.mjs";
import { profiles } from "./setup/steps.mjs";

const profile = argv[2] ?? "demo";

function isPending(step) {
  const output = step.output();
  return !output || !existsSync(output) || !isDone(step.name, step.inputs());
}

async function main() {
  const steps = profiles[profile];
  if (!steps || argv.length > 3) {
    throw new SetupError(`Expected one of ${Object.keys(profiles).join(", ")} but received ${argv.slice(2).join(" ")}`);
  }
  if (!steps.some(isPending)) return;
  await acquireLock();
  const pending = steps.filter(isPending);
  const found = preflight({
    needsPython: pending.some((step) => step.needsPython),
    needsCompiler: pending.some((step) => step.needsCompiler),
    room: pending.map((step) => step.room).findLast((room) => room !== undefined),
  });
  for (const [index, step] of pending.entries()) {
    if (!isPending(step)) continue;
    const started = Date.now();
    stderr.write(`[${index + 1}/${pending.length}] ${step.says}\n`);
    markStarted(step.name);
    await step.perform(found);
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
