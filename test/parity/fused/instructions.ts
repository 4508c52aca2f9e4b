// The kernels for processors with fewer instructions: the same promises, in a process that is told to do without them.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Precision } from "torch-t5";
import { agreementOf } from "#lib/cli/commands/agreement.js";
import { runToEnd } from "../../support/program.js";
import { makeCase, type Shape } from "../cases.js";
import { floats } from "../comparing.js";
import type { Bounds } from "./bounds.js";
import { assertSameBest } from "./close.js";
import { askForward } from "./forward.js";
import type { Subject } from "./subject.js";

const program = fileURLToPath(new URL("programs/forward.mjs", import.meta.url));
const SHAPES: readonly Shape[] = [
  { batch: 1, sourceLength: 37, targetLength: 1, masking: "none" },
  { batch: 5, sourceLength: 45, targetLength: 21, masking: "holes" },
  { batch: 9, sourceLength: 70, targetLength: 13, masking: "left" },
];

/** `limit`: a value of PyTorch's ATEN_CPU_CAPABILITY. Without bounds, what float32 promises. */
export function describeInstructions(subject: Subject, precision: Precision, limit: string, bounds?: Bounds): void {
  it(`${subject.name}, ${precision}, ${limit}`, async () => {
    const reference = subject.reference();
    const { directory, vocabSize } = subject.prepared();
    const cases = SHAPES.map((shape) => makeCase(shape, vocabSize));
    const expected: Float32Array[] = [];
    for (const { labels: _, decoderInputIds, ...source } of cases) {
      const { logits } = await askForward(subject, source, { decoderInputIds });
      expected.push(floats(reference.take(logits.file)));
    }
    // The rows of the last case alone, without their padding: their bits don't depend on the batch.
    const { inputIds, attentionMask, decoderInputIds } = cases.at(-1) ?? assert.fail("There is a last case");
    const alone = inputIds.map((row, index) => ({
      inputIds: [row.filter((_, at) => attentionMask?.[index]?.[at] === 1)],
      decoderInputIds: [decoderInputIds[index] ?? []],
    }));
    const [inputs, output] = ["inputs.json", "logits.bin"].map((name) => join(reference.directory, name));
    assert.ok(inputs !== undefined && output !== undefined);
    writeFileSync(inputs, JSON.stringify([...cases.map(({ labels: _, ...input }) => input), ...alone]));
    const args = [program, directory, precision, inputs, output];
    const { code, stderr } = await runToEnd(process.execPath, args, { env: { ATEN_CPU_CAPABILITY: limit } });
    assert.equal(code, 0, stderr);
    const received = floats(reference.take("logits.bin"));
    rmSync(inputs);

    const lengths = [...expected.map(({ length }) => length), expected.at(-1)?.length ?? 0];
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
    assert.deepEqual(last, batches.at(-1), "rows alone and in their batch");
  });
}
