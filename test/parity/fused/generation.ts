// `generate`, token for token: long greedy searches, and every option.
import assert from "node:assert/strict";
import type { GenerateOptions, GenerateResult, Tensor } from "torch-t5";
import { type Case, makeCase, type Shape } from "../cases.js";
import { type GenerateCase, generateCases, type Habits } from "../generate-cases.js";
import { askGenerate, editScores, type ReferenceGeneration, takeSteps } from "../generating.js";
import { learnHabits } from "../habits.js";
import { assertClose, assertCloseFloats } from "./close.js";
import { EMBEDDED, NAMES, type Subject } from "./subject.js";

const GREEDY_STEPS = 64;
/** Of the cases: one in this many for each model, another part for each. */
const ONE_IN = 2;
const SHAPES: Readonly<Record<GenerateCase["source"], Shape>> = {
  batch: { batch: 3, sourceLength: 9, targetLength: 1, masking: "right" },
  row: { batch: 1, sourceLength: 7, targetLength: 1, masking: "none" },
};
const TEXTS: Readonly<Record<GenerateCase["source"], readonly string[]>> = {
  batch: ["spell number: 48213", "date to iso: March 5, 2021", "spell number: 7"],
  row: ["date to iso: 3/5/2021"],
};
/** With tied random weights, a token is most like itself: without this, all rows would repeat one for ever. */
const TIED = ["t5", "gated-silu", "wide", "umt5-tied"];
/** `sequenceScores` sum up log-probabilities of a dozen tokens. */
const SCORE_TOLERANCE = 1e-3;

type Source = Pick<Case, "inputIds" | "attentionMask">;

export function describeGeneration(subject: Subject): void {
  const base: GenerateOptions = TIED.includes(subject.name) ? { noRepeatNgramSize: 2 } : {};
  const seed = NAMES.indexOf(subject.name);
  const cases = generateCases(seed).filter((_, index) => index % ONE_IN === seed % ONE_IN);
  let sources: Readonly<Record<GenerateCase["source"], Source>>;
  let habits: Habits;

  before(async () => {
    sources = { batch: await makeSource(subject, "batch"), row: await makeSource(subject, "row") };
    const { name: model, threads } = subject;
    habits = await learnHabits(subject.reference(), { model, threads, ...sources.batch, options: base });
  });

  for (const options of [{}, ...(Object.keys(base).length > 0 ? [base] : [])]) {
    it(`${GREEDY_STEPS} greedy steps, with ${JSON.stringify(options)}`, async () => {
      const asked = { maxNewTokens: GREEDY_STEPS, eosTokenId: [], ...options };
      const { name: model, threads } = subject;
      const [expected, received] = await Promise.all([
        askGenerate(subject.reference(), { model, threads, ...sources.batch, options: asked }),
        subject.t5().generate(sources.batch, { ...asked, returnLogits: true, returnScores: true }),
      ]);
      assertSameTokens(subject, received, expected);
    });
  }

  it("has enough cases", () => assert.ok(cases.length >= 60, `${cases.length} cases`));

  for (const { name: title, source, options, prefix, edits } of cases) {
    it(title, async () => {
      const begin = prefix?.(habits);
      const input = {
        ...sources[source],
        ...(begin === undefined ? {} : { decoderInputIds: sources[source].inputIds.map(() => begin) }),
      };
      const chosen = { ...base, ...options(habits) };
      const editing = edits?.(habits);
      const { name: model, threads } = subject;
      const [expected, received] = await Promise.all([
        askGenerate(subject.reference(), {
          model,
          threads,
          ...input,
          options: chosen,
          ...(editing === undefined ? {} : { edits: editing }),
        }),
        subject.t5().generate(input, {
          ...chosen,
          ...(editing === undefined ? {} : { logitsProcessor: editScores(editing) }),
          returnLogits: true,
          returnScores: true,
        }),
      ]);
      assertSameTokens(subject, received, expected);
    });
  }
}

async function makeSource(subject: Subject, kind: GenerateCase["source"]): Promise<Source> {
  const { name: model } = subject;
  if (model === EMBEDDED) return subject.reference().request("tokenize", { model, texts: TEXTS[kind] });
  const { inputIds, attentionMask } = makeCase(SHAPES[kind], subject.prepared().vocabSize);
  return attentionMask === undefined ? { inputIds } : { inputIds, attentionMask };
}

/** Sequences, beams and texts are equal; numbers are close. */
function assertSameTokens(subject: Subject, received: GenerateResult, expected: ReferenceGeneration): void {
  const reference = subject.reference();
  assert.deepEqual(rowsOf(received.sequences), expected.sequences, "sequences");
  assert.deepEqual(received.beamIndices && rowsOf(received.beamIndices), expected.beamIndices, "beamIndices");
  assert.deepEqual(received.texts, expected.texts, "texts");
  const steps = takeSteps(reference, expected.logits);
  assert.equal(received.logits?.length, steps.length, "steps");
  for (const [step, logits] of steps.entries()) {
    assertCloseFloats(`logits of step ${step}`, received.logits?.[step]?.data ?? new Float32Array(), logits);
  }
  if (expected.sequenceScores !== undefined) {
    assertClose("sequenceScores", received.sequenceScores, reference, expected.sequenceScores, SCORE_TOLERANCE);
  }
  reference.take(expected.scores.file);
  reference.take(expected.transitionScores.file);
}

function rowsOf(tensor: Tensor<Int32Array>): number[][] {
  return Array.from({ length: tensor.shape[0] ?? 0 }, (_, row) => Array.from(tensor.row(row)));
}
