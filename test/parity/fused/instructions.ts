// Defines tests of the kernels for processors with fewer instructions: the same promises, in a process that may not use
// newer ones.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Precision } from "torch-t5";
import { agreementOf } from "#lib/cli/commands/agreement.js";
import { runToEnd } from "../../support/program.js";
import { makeCase, type Shape } from "../cases.js";
import { type ReferenceForward, takeFloats } from "../comparing.js";
import type { Subject } from "../subject.js";
import { assertSameBest, type Bounds } from "./tolerances.js";

const program = fileURLToPath(new URL("programs/forward.mjs", import.meta.url));
const SHAPES: readonly Shape[] = [
  { batch: 1, sourceLength: 37, targetLength: 1, masking: "none" },
  { batch: 5, sourceLength: 45, targetLength: 21, masking: "holes" },
  { batch: 9, sourceLength: 70, targetLength: 13, masking: "left" },
];

/** `limit`: a value of PyTorch's ATEN_CPU_CAPABILITY. `bounds`: for precisions other than float32. */
export function describeInstructions(subject: Subject, precision: Precision, limit: string, bounds?: Bounds): void {
  it(`${subject.name}, ${precision}, ${limit}`, async () => {
    const reference = subject.reference();
    const { directory, vocabSize } = subject.prepared();
    const cases = SHAPES.map((shape) => makeCase(shape, vocabSize));
    const expected: Float32Array[] = [];
    for (const { labels: _, decoderInputIds, ...source } of cases) {
      const { logits } = await subject.ask<ReferenceForward>("forward", { ...source, decoderInputIds });
      expected.push(takeFloats(reference, logits));
    }
    // Each row of the last case alone, without its padding. Its bits don't depend on the batch.
    const { inputIds, attentionMask, decoderInputIds } = cases.at(-1) ?? assert.fail("there are no cases");
    const alone = inputIds.map((row, index) => ({
      inputIds: [row.filter((_, at) => attentionMask?.[index]?.[at] === 1)],
      decoderInputIds: [decoderInputIds[index] ?? []],
    }));
    const inputs = join(reference.directory, "inputs.json");
    const output = join(reference.directory, "logits.bin");
    writeFileSync(inputs, JSON.stringify([...cases.map(({ labels: _, ...input }) => input), ...alone]));
    const args = [program, directory, precision, inputs, output];
    const { code, stderr } = await runToEnd(process.execPath, args, { env: { ATEN_CPU_CAPABILITY: limit } });
    assert.equal(code, 0, stderr);
    const lengths = [...expected.map(({ length }) => length), expected.at(-1)?.length ?? 0];
    const shape = [lengths.reduce((sum, length) => sum + length, 0)];
    const received = takeFloats(reference, { file: "logits.bin", shape });
    rmSync(inputs);

    const parts = lengths.map((length, index) => {
      const start = lengths.slice(0, index).reduce((sum, before) => sum + before, 0);
      return received.subarray(start, start + length);
    });
    const [batches, last] = [parts.slice(0, -1), parts.at(-1)];
    for (const [index, logits] of batches.entries()) {
      const wanted = expected[index] ?? new Float32Array();
      if (bounds === undefined) {
        assertSameBest(`case ${index}`, logits, wanted, vocabSize);
        continue;
      }
      const agreement = agreementOf(wanted, logits, vocabSize);
      const measured = JSON.stringify(agreement);
      assert.ok(agreement.meanDivergence <= bounds.meanDivergence, measured);
      assert.ok(agreement.largestDivergence <= bounds.largestDivergence, measured);
    }
    assert.deepEqual(last, batches.at(-1), "each row alone has the bits that it has in its batch");
  });
}
