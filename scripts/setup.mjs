#!/usr/bin/env node
// Sets torch-t5 up: `node scripts/setup.mjs [demo|export|offline|test]`. Uses only Node's own modules. Each step runs once, and
// again only when its inputs change; an interrupted set-up continues with the step that it was in.
import { existsSync } from "node:fs";
import { argv, exit, stderr } from "node:process";
import { acquireLock } from "./setup/lock.mjs";
import { preflight } from "./setup/preflight.mjs";
import { SetupError } from "./setup/process.mjs";
import { isDone, markDone, markPending } from "./setup/stamps.mjs";
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
