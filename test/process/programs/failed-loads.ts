// Makes allocations of loading in `exact` fail, earlier and later ones. Fails unless each load rejects with
// ERR_OUT_OF_MEMORY. Prints how many have, and the bytes in use before and after them.
//
// The process runs with failing_allocations.node in LD_PRELOAD.
import assert from "node:assert/strict";
import { demoModel, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { failingAllocations, settledBytes } from "./failing-allocations.js";

/** Smaller allocations hardly fail. */
const MIN_BYTES = 1024;
/** The allocations between two that fail. */
const EVERY = 180;

const { failAt, liveBytes } = failingAllocations();

async function load(): Promise<void> {
  const options = { device: "cpu", precision: "exact", intraOpThreads: 1 } as const;
  await (await T5ForConditionalGeneration.fromPretrained(demoModel, options)).dispose();
}

/** Whether an allocation of the load failed. */
async function failsAt(n: number): Promise<boolean> {
  failAt(n, MIN_BYTES);
  try {
    await load();
    return false;
  } catch (thrown) {
    assert.ok(thrown instanceof T5Error && thrown.code === "ERR_OUT_OF_MEMORY", String(thrown));
    return true;
  } finally {
    failAt(0, 0);
  }
}

async function failAtEach(): Promise<number> {
  let count = 0;
  while (await failsAt(1 + count * EVERY)) count++;
  return count;
}

// What is made once in a process is made before memory is measured. libtorch itself can't be opened without memory.
await load();
await failAtEach();
const before = await settledBytes(liveBytes);
const failures = await failAtEach();
console.log(JSON.stringify({ failures, before, after: await settledBytes(liveBytes) }));
