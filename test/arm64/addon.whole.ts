// The addon for arm64, in Node.js for arm64: its binaries, the commands that describe it, and the bits of its results.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { demoModel } from "torch-t5";
import { newerThanOldestLinux, versionsIn } from "../native/symbol-versions.js";
import { makeCase, type Shape } from "../parity/cases.js";
import { withDirectory } from "../support/directory.js";
import { runToEnd } from "../support/program.js";
import { emulation, PROCESSORS, runEmulated } from "./emulator.js";

const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const forward = fileURLToPath(new URL("../parity/fused/programs/forward.mjs", import.meta.url));
const VOCABULARY = 256; // of ids that the embedded model has
const SHAPES: readonly Shape[] = [
  { batch: 1, sourceLength: 37, targetLength: 1, masking: "none" },
  { batch: 5, sourceLength: 45, targetLength: 21, masking: "holes" },
  { batch: 9, sourceLength: 70, targetLength: 13, masking: "left" },
];

describe("the binaries", () => {
  for (const name of ["torch_t5.node", "torch_t5_preload.node"]) {
    it(`${name} is for arm64, and needs no newer symbols of glibc and libstdc++ than libtorch's oldest Linux has`, () => {
      const path = join(emulation.prebuilds, name);
      const AARCH64 = 183; // ELF's e_machine
      assert.equal(readFileSync(path).readUInt16LE(18), AARCH64);
      assert.ok(versionsIn(path).includes("GLIBC_2.17"));
      assert.deepEqual(versionsIn(path).filter(newerThanOldestLinux), []);
    });
  }
});

describe("torch-t5 doctor", () => {
  for (const { processor, kernels } of PROCESSORS) {
    it(`finds everything, and prints the kernels of ${processor}`, async () => {
      const { code, stdout, stderr } = await runEmulated(processor, emulation.node, [cli, "doctor"]);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, / on linux arm64$/m);
      assert.match(stdout, new RegExp(`^ok +kernels +${kernels}$`, "m"));
      assert.match(stdout, /^ok +embedded model /m);
    });
  }
});

describe("torch-t5 verify", () => {
  it("exact: within the differences of another processor, which it prints", async () => {
    const { code, stdout, stderr } = await runEmulated("max", emulation.node, [cli, "verify", demoModel]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^probe\.0: .*(bitwise equal|largest difference)/m);
  });
});

/**
 * The kernels add the products of float32 in the same order on every processor, int8 exactly, and those of NEON reduce
 * vectors in the order of those of AVX2, which has as many elements in a vector. bfloat16 has the same bits where
 * there are no instructions for it; the attention of int8 is in bfloat16.
 */
describe("logits have the bits of the kernels of AVX2", () => {
  const supported = [
    { processor: "max", precisions: ["float32"] },
    { processor: "neoverse-n1", precisions: ["float32", "bfloat16", "int8"] },
    { processor: "a64fx", precisions: ["float32", "bfloat16", "int8"] },
  ] as const;
  for (const { processor, precisions } of supported) {
    for (const precision of precisions) {
      it(`${precision}, ${processor}`, () =>
        withDirectory(async (directory) => {
          const inputs = join(directory, "inputs.json");
          const cases = SHAPES.map((shape) => makeCase(shape, VOCABULARY)).map(({ labels: _, ...input }) => input);
          writeFileSync(inputs, JSON.stringify(cases));
          const args = (output: string) => [forward, demoModel, precision, inputs, join(directory, output)];
          const here = await runToEnd(process.execPath, args("x64"), { env: { ATEN_CPU_CAPABILITY: "avx2" } });
          assert.equal(here.code, 0, here.stderr);
          const there = await runEmulated(processor, emulation.node, args("arm64"));
          assert.equal(there.code, 0, there.stderr);
          const [expected, received] = ["x64", "arm64"].map((name) => readFileSync(join(directory, name)));
          assert.ok(expected !== undefined && expected.length > 0);
          assert.ok(received?.equals(expected));
        }));
    }
  }
});
