import assert from "node:assert/strict";
import { runProgram } from "../support/program.js";

// All results together take far more. Noise of the allocator and the garbage collector is well below this.
const ALLOWED_GROWTH_MB = 40;

describe("resident memory over two thousand forwards", () => {
  for (const way of ["dropped", "disposed", "aborted"]) {
    it(`stays constant when results are ${way}`, async () => {
      const ended = await runProgram(new URL("./programs/memory.mjs", import.meta.url), [way]);
      assert.equal(ended.code, 0, ended.stderr);
      const { before, after, moved } = JSON.parse(ended.stdout) as { before: number; after: number; moved: number };
      assert.ok(moved > 4 * ALLOWED_GROWTH_MB, `only ${moved} MB were moved: a leak would not show`);
      assert.ok(after - before < ALLOWED_GROWTH_MB, `grew from ${before} MB to ${after} MB`);
    });
  }
});
