import assert from "node:assert/strict";
import { assertSameFloats } from "./comparing.js";
import { generateCases } from "./generate-cases.js";
import { askGenerate, callOf, takeSteps } from "./generating.js";
import { type Generations, prepareGenerations } from "./habits.js";
import { EMBEDDED } from "./models.js";
import { describeThreads, useSubject } from "./subject.js";

const THREADS = 1;
const MODELS = ["t5", "umt5", "byt5", EMBEDDED] as const;

/** What a stream yields for one row. */
interface StreamedRow {
  readonly ids: number[];
  readonly logits: Float32Array[];
  text: string;
  reason: string | undefined;
}

describe("stream is Hugging Face's generate for each row of a batch: ids, ends and texts are equal, logits bitwise", () => {
  for (const [seed, name] of MODELS.entries()) {
    describe(`${name}, ${describeThreads(THREADS)}`, () => {
      const subject = useSubject(name, "exact", THREADS);
      let generations: Generations;
      /** The number of searches in which rows end at different steps. */
      let ragged = 0;

      before(async () => {
        generations = await prepareGenerations(subject);
      });

      // Streams have no beams.
      const cases = generateCases(seed).filter((one) => one.source === "batch" && !one.name.includes("beams"));
      for (const { name: title, ...one } of cases) {
        it(title, async () => {
          const { request, input, options } = callOf(subject, one, generations);
          const expected = await askGenerate(subject.reference(), request);
          const steps = takeSteps(subject.reference(), expected.logits);
          const rows: StreamedRow[] = [];
          for await (const token of subject.t5().stream(input, { ...options, returnLogits: true })) {
            rows[token.row] ??= { ids: [], logits: [], text: "", reason: undefined };
            const row = rows[token.row];
            assert.ok(row !== undefined && row.reason === undefined, "a row goes on after its end");
            row.ids.push(token.tokenId);
            row.logits.push(token.logits.data);
            row.text += token.text;
            row.reason = token.finishReason;
          }
          assert.deepEqual(
            rows.map(({ reason, ids }) => [reason, ids.length]),
            expected.finishes,
          );
          const vocabSize = subject.t5().config.vocabSize;
          for (const [row, { ids, logits, text }] of rows.entries()) {
            const sequence = expected.sequences[row] ?? [];
            const prompt = sequence.length - steps.length;
            assert.deepEqual(ids, sequence.slice(prompt, prompt + ids.length));
            if (expected.texts !== undefined) assert.equal(text, expected.texts[row]);
            for (const [step, found] of logits.entries()) {
              const whole = steps[step]?.subarray(row * vocabSize, (row + 1) * vocabSize);
              assert.ok(whole !== undefined);
              assertSameFloats(`row ${row}, step ${step}`, found, whole, [1, vocabSize]);
            }
          }
          if (new Set(rows.map(({ ids }) => ids.length)).size > 1) ragged++;
        });
      }

      it("the cases above have rows that end before others", () => assert.ok(ragged > 0));
    });
  }
});
