// The native tests of the kernels, on a processor with each set of instructions.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { emulation, PROCESSORS, runEmulated } from "./emulator.js";

/** The arguments of a program's tests: GEMM is tested with 14 rows, more than two groups. 70 would take minutes. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = { gemm_kernels_test: ["14"] };

/** The names of a program's tests. */
function testsOf(path: string): readonly string[] {
  const { emulator, sysroot } = emulation;
  const list = execFileSync(emulator, ["-L", sysroot, path, "--list"], { encoding: "utf8" });
  return list.trim().split("\n");
}

for (const { processor, kernels } of PROCESSORS) {
  describe(`${kernels} (${processor})`, () => {
    for (const name of emulation.testProgramNames) {
      const path = join(emulation.testPrograms, name);
      for (const test of testsOf(path)) {
        it(`${name}: ${test}`, async () => {
          const { code, signal, stderr } = await runEmulated(processor, path, [test, ...(ARGUMENTS[name] ?? [])]);
          assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
        });
      }
    }
  });
}
