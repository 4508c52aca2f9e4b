// What a loaded model takes: the resident memory of a process of its own.
import assert from "node:assert/strict";
import type { Precision } from "torch-t5";
import { runProgram } from "../../support/program.js";
import type { Prepared } from "../models.js";

/** In MB. */
interface Memory {
  readonly loaded: number;
  readonly used: number;
  /** After the model was disposed. */
  readonly left: number;
}

/** The largest resident memory of a model, in MB. */
export interface MemoryBound {
  readonly precision: Precision;
  readonly most: number;
}

/** Each precision of one model stays below what is allowed for it. */
export function describeMemory(prepared: () => Prepared, bounds: readonly MemoryBound[]): void {
  for (const { precision, most } of bounds) {
    it(`${precision}: at most ${most} MB, most of which are given back`, async () => {
      const program = new URL("programs/loaded-memory.mjs", import.meta.url);
      const { code, stdout, stderr } = await runProgram(program, [prepared().directory, precision]);
      assert.equal(code, 0, stderr);
      const { loaded, used, left } = JSON.parse(stdout) as Memory;
      assert.ok(loaded <= most && used <= most, stdout);
      assert.ok(left <= most / 2, stdout);
    });
  }
}
