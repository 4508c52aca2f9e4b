// The library that lets allocations of torch-t5 and libtorch fail, and counts memory: test/native/failing_allocations.cc.
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** To be set as LD_PRELOAD of a process that calls `failingAllocations`. */
export const FAILING_ALLOCATIONS = fileURLToPath(
  new URL("../../../build/test/native/failing_allocations.node", import.meta.url),
);

export interface FailingAllocations {
  /** The n-th allocation of at least `minBytes` from now on fails. 0: none. */
  failAt(n: number, minBytes: number): void;
  /** How many have failed. */
  failedCount(): number;
  /**
   * Bytes in use of the heap, and of the mappings that torch-t5 and libtorch made. Unlike the resident memory, it does not
   * depend on fragmentation or on what the system has taken back.
   */
  liveBytes(): number;
}

export function failingAllocations(): FailingAllocations {
  const module = { exports: {} };
  process.dlopen(module, FAILING_ALLOCATIONS);
  return module.exports as FailingAllocations;
}

/** How often a number of bytes in use must be the same before it is taken. */
const SETTLED = 5;

/** The bytes in use without garbage, once nothing frees any more and `isBusy` is false. The process has `--expose-gc`. */
export async function settledBytes(bytesInUse: () => number, isBusy = () => false): Promise<number> {
  let settled = Number.POSITIVE_INFINITY;
  for (let same = 0; same < SETTLED || isBusy(); same++) {
    globalThis.gc?.();
    await setTimeout(10); // finalizers free what the collector found, such as abandoned streams
    const bytes = bytesInUse();
    if (bytes < settled) same = 0;
    settled = Math.min(settled, bytes);
  }
  return settled;
}
