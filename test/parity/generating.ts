// One call of `generate` on both sides, and the comparison of everything that it returns.
import assert from "node:assert/strict";
import type { GenerateOptions, GenerateResult, LogitsStep, Tensor } from "torch-t5";
import type { Reference } from "../support/reference.js";
import { assertSameFloats, assertSameShape, type ReferenceTensor, takeFloats } from "./comparing.js";
import type { Edits, GenerateCase } from "./generate-cases.js";
import type { Generations } from "./habits.js";
import type { Subject } from "./subject.js";

/** A request to the reference. */
export interface Request {
  readonly model: string;
  readonly threads: number;
  readonly inputIds: readonly (readonly number[])[];
  readonly attentionMask?: readonly (readonly number[])[];
  readonly decoderInputIds?: readonly (readonly number[])[];
  readonly options: GenerateOptions;
  readonly edits?: Edits;
  /** Give `generate` the encoder's outputs instead of the source, with or without the mask. */
  readonly encodeFirst?: "withMask" | "withoutMask";
}

/** The reply. */
export interface ReferenceGeneration {
  readonly sequences: number[][];
  /** `[steps, rows, vocabSize]` */
  readonly logits: ReferenceTensor;
  readonly scores: ReferenceTensor;
  readonly transitionScores: ReferenceTensor;
  /** For each step: the last token of every row, and with beams the rows that the search continues with. */
  readonly running: { readonly tokens: number[][]; readonly rows: number[][] };
  readonly sequenceScores?: ReferenceTensor;
  readonly beamIndices?: number[][];
  readonly texts?: string[];
  /** Why each sequence ends, and after how many tokens: by the first stopping criterion that its prefixes meet. */
  readonly finishes: [reason: string, length: number][];
}

/** Generates a case on both sides at the same time. */
export function generateOnBothSides(
  subject: Subject,
  { source, options, prefix, edits }: Omit<GenerateCase, "name">,
  { sources, habits, base }: Generations,
): Promise<[ReferenceGeneration, GenerateResult]> {
  const start = prefix?.(habits);
  const input = {
    ...sources[source],
    ...(start === undefined ? {} : { decoderInputIds: sources[source].inputIds.map(() => start) }),
  };
  const chosen = { ...base, ...options(habits) };
  const edit = edits?.(habits);
  const { name: model, threads } = subject;
  return Promise.all([
    askGenerate(subject.reference(), {
      model,
      threads,
      ...input,
      options: chosen,
      ...(edit === undefined ? {} : { edits: edit }),
    }),
    subject.t5().generate(input, {
      ...chosen,
      ...(edit === undefined ? {} : { logitsProcessor: editScores(edit) }),
      returnLogits: true,
      returnScores: true,
    }),
  ]);
}

/** Asks Hugging Face. A seed is sent as text, because JSON has no 64-bit integers. */
export function askGenerate(reference: Reference, { options, ...request }: Request): Promise<ReferenceGeneration> {
  const { seed, ...others } = options;
  return reference.request("generate", {
    ...request,
    options: seed === undefined ? others : { ...others, seed: String(seed) },
  });
}

/** Fails unless everything is the reference's: ids are equal, numbers are bitwise equal. */
export function assertSameGeneration(
  received: GenerateResult,
  expected: ReferenceGeneration,
  reference: Reference,
): void {
  assertSameTokens(received, expected);
  assertSameSteps("logits", received.logits, reference, expected.logits);
  assertSameSteps("scores", received.scores, reference, expected.scores);
  assertSameTensor("transitionScores", received.transitionScores, reference, expected.transitionScores);
  assertSameTensor("sequenceScores", received.sequenceScores, reference, expected.sequenceScores);
}

/** Fails unless sequences, their ends, beams and texts are equal. */
export function assertSameTokens(received: GenerateResult, expected: ReferenceGeneration): void {
  assertSameRows("sequences", received.sequences, expected.sequences);
  if (expected.beamIndices === undefined) assert.equal(received.beamIndices, undefined);
  else assertSameRows("beamIndices", received.beamIndices, expected.beamIndices);
  assert.deepEqual(received.texts, expected.texts, "texts");
  const finishes = received.finishReasons.map((reason, row) => [reason, received.lengths[row]]);
  assert.deepEqual(finishes, expected.finishes, "ends of sequences");
  const counts = expected.beamIndices?.map((row) => row.filter((beam) => beam >= 0).length);
  if (counts !== undefined) assert.deepEqual(received.lengths, counts, "lengths by beamIndices");
}

function assertSameRows(name: string, received: Tensor<Int32Array> | undefined, expected: number[][]): void {
  assert.ok(received !== undefined, `no ${name}`);
  assert.deepEqual([...received.shape], [expected.length, expected[0]?.length], `shape of ${name}`);
  const rows = expected.map((_, row) => Array.from(received.row(row)));
  assert.deepEqual(rows, expected, name);
}

/** Reads the numbers of every step, which are in one file, and removes the file. */
export function takeSteps(reference: Reference, tensor: ReferenceTensor): readonly Float32Array[] {
  const all = takeFloats(reference, tensor);
  const [steps = 0] = tensor.shape;
  const size = all.length / steps;
  return Array.from({ length: steps }, (_, step) => all.subarray(step * size, (step + 1) * size));
}

/** The reference's processor, `EditScores`, written for torch-t5. */
function editScores({ bias, forbidden, repeated }: Edits): (step: LogitsStep) => void {
  return ({ sequences, logits, step }) => {
    for (const row of Array.from({ length: logits.shape[0] ?? 0 }).keys()) {
      const scores = logits.row(row);
      const edit = (id: number, change: (score: number) => number) => {
        scores[id] = change(scores[id] ?? Number.NaN);
      };
      for (const [id, value] of bias) edit(id, (score) => score + value);
      edit(sequences.row(row).at(-1) ?? -1, (score) => score - repeated * step);
      for (const id of forbidden) edit(id, () => Number.NEGATIVE_INFINITY);
    }
  };
}

function assertSameTensor(
  name: string,
  received: Tensor | undefined,
  reference: Reference,
  expected: ReferenceTensor | undefined,
): void {
  if (expected === undefined) {
    assert.equal(received, undefined, name);
    return;
  }
  assert.ok(received !== undefined, `no ${name}`);
  assertSameShape(name, received, expected);
  assertSameFloats(name, received.data, takeFloats(reference, expected), received.shape);
}

function assertSameSteps(
  name: string,
  received: readonly Tensor[] | undefined,
  reference: Reference,
  expected: ReferenceTensor,
): void {
  assert.ok(received !== undefined, `no ${name}`);
  const steps = takeSteps(reference, expected);
  assert.equal(received.length, steps.length, `steps of ${name}`);
  for (const [step, tensor] of received.entries()) {
    assert.deepEqual([...tensor.shape], expected.shape.slice(1), `shape of ${name}`);
    assertSameFloats(`${name} of step ${step}`, tensor.data, steps[step] ?? new Float32Array(), tensor.shape);
  }
}
