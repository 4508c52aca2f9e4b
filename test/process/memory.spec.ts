import assert from "node:assert/strict";
import { runProgram } from "../support/program.js";

// Two thousand results together are far larger; the allocator's and the collector's own noise stays well below this.
const ALLOWED_GROWTH_MB = 40;

describe("resident memory over two thousand forwards", () => {
  for (const way of ["dropped", "disposed", "aborted"]) {
    it(`stays flat when results are ${way}`, async () => {
      const ended = await runProgram(new URL("./programs/memory.mjs", import.meta.url), [way]);
      assert.equal(ended.code, 0, ended.stderr);
      const { before, after, moved } = JSON.parse(ended.stdout) as { before: number; after: number; moved: number };
      assert.ok(moved > 4 * ALLOWED_GROWTH_MB, `only ${moved} MB were moved: a leak would not show`);
      assert.ok(after - before < ALLOWED_GROWTH_MB, `grew from ${before} MB to ${after} MB`);
    });
  }
});
