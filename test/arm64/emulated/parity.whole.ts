// The fused engine against Hugging Face, which runs on this machine's own processor: two families, a few shapes.
import assert from "node:assert/strict";
import { describeShape, makeCase, SHAPES } from "../../parity/cases.js";
import { describeForward } from "../../parity/forward.js";
import { describeApproximation } from "../../parity/fused/approximation.js";
import { BOUNDS, CLOSE } from "../../parity/fused/tolerances.js";
import { useSubject } from "../../parity/subject.js";

const FAMILIES = ["t5-v1.1", "umt5"] as const;
/** Each shape is one of those of test/parity: the larger ones take minutes in the emulator. */
const MAX_POSITIONS = 160;
const THINNED = SHAPES.filter(({ batch, sourceLength, targetLength }) => {
  return batch * Math.max(sourceLength, targetLength) <= MAX_POSITIONS;
});

it("runs on arm64", () => assert.equal(process.arch, "arm64"));

for (const family of FAMILIES) {
  describe(`${family}, float32: logits within 1e-4 of Hugging Face's, and the same tokens`, () => {
    describeForward(useSubject(family, "float32", 2), THINNED, CLOSE);
  });

  for (const precision of ["bfloat16", "int8"] as const) {
    describe(`${family}, ${precision}: near Hugging Face's float32, and a row's bits depend on nothing else`, () => {
      const subject = useSubject(family, precision, 1);
      describeApproximation(subject, BOUNDS[precision].random, THINNED);

      // Holes have no equivalent without a mask.
      for (const shape of THINNED.filter(({ masking }) => masking !== "holes")) {
        it(`the last row alone: ${describeShape(shape)}`, async () => {
          const { vocabSize } = subject.prepared();
          const { labels: _, decoderInputIds, ...source } = makeCase(shape, vocabSize);
          const { logits } = await subject.t5().forward({ ...source, decoderInputIds });
          const row = shape.batch - 1;
          const kept = source.inputIds[row]?.filter((_, at) => source.attentionMask?.[row]?.[at] !== 0) ?? [];
          const alone = { inputIds: [kept], decoderInputIds: [decoderInputIds[row] ?? []] };
          assert.deepEqual((await subject.t5().forward(alone)).logits.data, logits.row(row));
        });
      }
    });
  }
}
