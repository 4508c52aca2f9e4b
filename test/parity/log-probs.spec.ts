import assert from "node:assert/strict";
import type { GenerateOptions } from "torch-t5";
import { assertSameFloats, type ReferenceTensor, takeFloats } from "./comparing.js";
import type { GenerateCase } from "./generate-cases.js";
import { askGenerate, callOf, takeSteps } from "./generating.js";
import { type Generations, prepareGenerations } from "./habits.js";
import { EMBEDDED, onTestDevice } from "./models.js";
import { describeThreads, type Subject, useSubject } from "./subject.js";

const COUNT = 3;
const CASES: Readonly<Record<string, GenerateCase["options"]>> = {
  "greedy search, with rows that end": ({ ends: [first, second] }) => ({ eosTokenId: [first, second] }),
  "logits processors": ({ usual }) => ({ suppressTokens: [...usual], repetitionPenalty: 1.5 }),
  sampling: () => ({ doSample: true, seed: 3, temperature: 0.5, topK: 4, numReturnSequences: 2 }),
};

interface ReferenceLogProbs {
  readonly logProbs: ReferenceTensor;
  readonly largest: readonly (readonly number[])[];
}

/** The logits of each step, `[rows, vocabSize]`. */
type Steps = readonly Float32Array[];

describe("logProbs are bitwise PyTorch's log-softmax of the raw logits, in exact of Hugging Face's raw logits", () => {
  for (const precision of onTestDevice(["exact", "float32", "bfloat16", "int8"])) {
    const threads = precision === "float32" ? 2 : 1;
    describe(`${precision}, ${describeThreads(threads)}`, () => {
      const subject = useSubject(EMBEDDED, precision, threads);
      let generations: Generations;

      before(async () => {
        generations = await prepareGenerations(subject);
      });

      for (const [title, options] of Object.entries(CASES)) {
        it(title, async () => {
          const { request, input, options: given } = callOf(subject, { source: "batch", options }, generations);
          const ownLogits = async () => {
            const { logits } = await subject.t5().generate(input, { ...given, returnLogits: true });
            return logits.map(({ data }) => data);
          };
          const huggingFaces = async () =>
            takeSteps(subject.reference(), (await askGenerate(subject.reference(), request)).logits);
          const steps = precision === "exact" ? await huggingFaces() : await ownLogits();
          await assertLogProbs(subject, input, given, steps);
        });
      }
    });
  }
});

/** Fails unless `generate` and `stream` give the log-probabilities of `steps`. */
async function assertLogProbs(
  subject: Subject,
  input: Parameters<ReturnType<Subject["t5"]>["generate"]>[0],
  options: GenerateOptions,
  steps: Steps,
): Promise<void> {
  const { vocabSize } = subject.t5().config;
  const generated = await subject.t5().generate(input, { ...options, logProbs: COUNT });
  const { lengths, logProbs, topLogProbs } = generated;
  const rows = lengths.length;
  assert.deepEqual(logProbs.shape, [rows, steps.length]);
  const tokens = generated.sequences.shape[1] ?? 0;
  const expected = await logSoftmax(subject, steps);
  const streamed = new Map<number, { logProb: number; top: readonly number[]; ids: readonly number[] }[]>();
  for await (const { row, logProb, topLogProbs: top } of subject.t5().stream(input, { ...options, logProbs: COUNT })) {
    const found = streamed.get(row) ?? [];
    streamed.set(row, found);
    found.push({ logProb, top: top.map((each) => each.logProb), ids: top.map(({ tokenId }) => tokenId) });
  }
  for (const [row, length] of lengths.entries()) {
    assert.equal(streamed.get(row)?.length, length);
    for (let step = 0; step < length; step++) {
      const { values, largest } = expected(step, row);
      const id = generated.sequences.row(row)[tokens - steps.length + step] ?? -1;
      assert.ok(id >= 0 && id < vocabSize);
      const name = `row ${row}, step ${step}`;
      const chosen = values.subarray(id, id + 1);
      assertSameFloats(name, logProbs.row(row).subarray(step, step + 1), chosen, [1]);
      assert.deepEqual([...topLogProbs.indices.row(row, step)], largest, name);
      const best = Float32Array.from(largest, (index) => values[index] ?? Number.NaN);
      assertSameFloats(`${name}, best`, topLogProbs.values.row(row, step), best, [COUNT]);
      const token = streamed.get(row)?.[step];
      assertSameFloats(`${name}, streamed`, Float32Array.of(token?.logProb ?? Number.NaN), chosen, [1]);
      assertSameFloats(`${name}, streamed best`, Float32Array.from(token?.top ?? []), best, [COUNT]);
      assert.deepEqual(token?.ids, largest);
    }
  }
}

/** PyTorch's log-softmax of each row of each step, and the ids of its largest logits. */
async function logSoftmax(subject: Subject, steps: Steps) {
  const { vocabSize } = subject.t5().config;
  const rowsOf = (step: Float32Array) =>
    Array.from({ length: step.length / vocabSize }, (_, row) => [
      ...step.subarray(row * vocabSize, (row + 1) * vocabSize),
    ]);
  const all = steps.map(rowsOf);
  const reply = await subject.ask<ReferenceLogProbs>("logSoftmax", { logits: all.flat(), count: COUNT });
  const logProbs = takeFloats(subject.reference(), reply.logProbs);
  return (step: number, row: number) => {
    const index = step * (all[0]?.length ?? 0) + row;
    return {
      values: logProbs.subarray(index * vocabSize, (index + 1) * vocabSize),
      largest: [...(reply.largest[index] ?? [])],
    };
  };
}
