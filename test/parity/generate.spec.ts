import assert from "node:assert/strict";
import { generateCases } from "./generate-cases.js";
import { assertSameGeneration, generateOnBothSides, type ReferenceGeneration } from "./generating.js";
import { type Generations, prepareGenerations } from "./habits.js";
import { EMBEDDED } from "./models.js";
import { describeThreads, useSubject } from "./subject.js";

const MODELS = ["t5", "t5-v1.1", "mt5", "umt5", "byt5", EMBEDDED] as const;
/** Several threads share the work. A part of the cases shows that both sides divide it alike. */
const RUNS = [
  ...MODELS.map((name, seed) => ({ name, threads: 1, cases: generateCases(seed) })),
  ...(["t5-v1.1", EMBEDDED] as const).map((name, seed) => ({
    name,
    threads: 2,
    cases: generateCases(seed).filter((_, index) => index % 5 === 1),
  })),
];
/** Of each property that the cases must have. */
const MIN_CASES = 10;
const MAX_STEPS = 12;

describe("generate is Hugging Face's: sequences and beams are equal, logits and scores bitwise equal", () => {
  for (const { name, threads, cases } of RUNS) {
    describe(`${name}, ${describeThreads(threads)}`, () => {
      const subject = useSubject(name, "exact", threads);
      const seen: ReferenceGeneration[] = [];
      let generations: Generations;

      before(async () => {
        generations = await prepareGenerations(subject);
      });

      for (const { name: title, ...call } of cases) {
        it(title, async () => {
          const [expected, received] = await generateOnBothSides(subject, call, generations);
          assertSameGeneration(received, expected, subject.reference());
          seen.push(expected);
        });
      }

      if (threads > 1) return;

      it("the cases above end early, at different steps, and change beams", () => {
        const steps = seen.map(({ logits }) => logits.shape[0] ?? 0);
        assert.ok(steps.filter((count) => count < MAX_STEPS).length >= MIN_CASES, "searches that end early");
        const ragged = seen.filter(
          ({ beamIndices }) => new Set(beamIndices?.map((row) => row.filter((beam) => beam >= 0).length)).size > 1,
        );
        assert.ok(ragged.length >= MIN_CASES, "sequences of one search that end at different steps");
        const crossed = seen.filter(({ beamIndices }) =>
          beamIndices?.some((row) => new Set(row.filter((beam) => beam >= 0)).size > 1),
        );
        assert.ok(crossed.length >= MIN_CASES, "sequences that come from several beams");
        const reasons = seen.flatMap(({ finishes }) => finishes.map(([reason]) => reason));
        assert.deepEqual([...new Set(reasons)].sort(), ["eos", "length", "time"]);
      });
    });
  }
});
