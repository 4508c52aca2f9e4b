// Defines tests of `generate` that compare tokens: long greedy searches, and every option.
import assert from "node:assert/strict";
import type { GenerateOptions, GenerateResult } from "torch-t5";
import { assertSameShape, takeFloats } from "../comparing.js";
import { generateCases } from "../generate-cases.js";
import { assertSameTokens, generateOnBothSides, type ReferenceGeneration, takeSteps } from "../generating.js";
import { baseOptions, type Generations, prepareGenerations } from "../habits.js";
import { NAMES } from "../models.js";
import type { Subject } from "../subject.js";
import { assertClose } from "./tolerances.js";

const GREEDY_STEPS = 64;
/** Each model runs one in this many of the cases, and neighbouring models run different ones. */
const ONE_IN = 2;
const MIN_CASES = 60;
/** `sequenceScores` are sums of a dozen log-probabilities. */
const SCORE_TOLERANCE = 1e-3;

export function describeGeneration(subject: Subject): void {
  const base = baseOptions(subject.name);
  const seed = NAMES.indexOf(subject.name);
  const cases = generateCases(seed).filter((_, index) => index % ONE_IN === seed % ONE_IN);
  let generations: Generations;

  before(async () => {
    generations = await prepareGenerations(subject);
  });

  for (const options of [{}, ...(Object.keys(base).length > 0 ? [base] : [])]) {
    it(`${GREEDY_STEPS} greedy steps, with ${JSON.stringify(options)}`, async () => {
      const greedy: GenerateOptions = { maxNewTokens: GREEDY_STEPS, eosTokenId: [], ...options };
      const call = { source: "batch", options: () => greedy } as const;
      const [expected, received] = await generateOnBothSides(subject, call, { ...generations, base: {} });
      assertCloseGeneration(subject, received, expected);
    });
  }

  it("there are enough cases", () => assert.ok(cases.length >= MIN_CASES, `${cases.length} cases`));

  for (const { name: title, ...call } of cases) {
    it(title, async () => {
      const [expected, received] = await generateOnBothSides(subject, call, generations);
      assertCloseGeneration(subject, received, expected);
    });
  }
}

/** Fails unless sequences, beams and texts are equal, and numbers are close. */
function assertCloseGeneration(subject: Subject, received: GenerateResult, expected: ReferenceGeneration): void {
  const reference = subject.reference();
  assertSameTokens(received, expected);
  const steps = takeSteps(reference, expected.logits);
  assert.equal(received.logits?.length, steps.length, "steps");
  for (const [step, logits] of steps.entries()) {
    assertClose(`logits of step ${step}`, received.logits?.[step]?.data ?? new Float32Array(), logits);
  }
  if (expected.sequenceScores !== undefined) {
    const { sequenceScores } = received;
    assert.ok(sequenceScores !== undefined, "no sequenceScores");
    assertSameShape("sequenceScores", sequenceScores, expected.sequenceScores);
    const scores = takeFloats(reference, expected.sequenceScores);
    assertClose("sequenceScores", sequenceScores.data, scores, SCORE_TOLERANCE);
  }
  // These are not compared. Reading them removes their files.
  takeFloats(reference, expected.scores);
  takeFloats(reference, expected.transitionScores);
}
