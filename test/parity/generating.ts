// One call of `generate` on both sides, and everything that it returns compared.
import assert from "node:assert/strict";
import type { GenerateOptions, GenerateResult, LogitsStep, Tensor } from "torch-t5";
import type { Reference } from "../support/reference.js";
import { assertSameFloats, floats, type ReferenceTensor } from "./comparing.js";
import type { Edits } from "./generate-cases.js";

/** What is asked of the reference. */
export interface Request {
  readonly model: string;
  readonly threads: number;
  readonly inputIds: readonly (readonly number[])[];
  readonly attentionMask?: readonly (readonly number[])[];
  readonly decoderInputIds?: readonly (readonly number[])[];
  readonly options: GenerateOptions;
  readonly edits?: Edits;
}

/** What it replies. */
export interface ReferenceGeneration {
  readonly sequences: number[][];
  /** `[steps, rows, vocabSize]` */
  readonly logits: ReferenceTensor;
  readonly scores: ReferenceTensor;
  readonly transitionScores: ReferenceTensor;
  /** At each step: what the rows end with, and with beams the rows that were gone on from afterwards. */
  readonly running: { readonly tokens: number[][]; readonly rows: number[][] };
  readonly sequenceScores?: ReferenceTensor;
  readonly beamIndices?: number[][];
  readonly texts?: string[];
}

/** Asks Hugging Face; a seed goes as text, since JSON has no integers of 64 bits. */
export function askGenerate(reference: Reference, { options, ...request }: Request): Promise<ReferenceGeneration> {
  const { seed, ...others } = options;
  return reference.request("generate", {
    ...request,
    options: seed === undefined ? others : { ...others, seed: String(seed) },
  });
}

/** The reference's processor, written for torch-t5. */
export function editScores({ bias, forbidden, repeated }: Edits): (step: LogitsStep) => void {
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

/** Fails unless everything is the reference's: ids equal, numbers bit by bit. */
export function assertSameGeneration(
  received: GenerateResult,
  expected: ReferenceGeneration,
  reference: Reference,
): void {
  assertSameRows("sequences", received.sequences, expected.sequences);
  assertSameSteps("logits", received.logits, reference, expected.logits);
  assertSameSteps("scores", received.scores, reference, expected.scores);
  assertSameTensor("transitionScores", received.transitionScores, reference, expected.transitionScores);
  assertSameTensor("sequenceScores", received.sequenceScores, reference, expected.sequenceScores);
  if (expected.beamIndices === undefined) assert.equal(received.beamIndices, undefined);
  else assertSameRows("beamIndices", received.beamIndices, expected.beamIndices);
  assert.deepEqual(received.texts, expected.texts, "texts");
}

function assertSameRows(name: string, received: Tensor<Int32Array> | undefined, expected: number[][]): void {
  assert.ok(received !== undefined, `no ${name}`);
  assert.deepEqual([...received.shape], [expected.length, expected[0]?.length], `shape of ${name}`);
  const rows = expected.map((_, row) => Array.from(received.row(row)));
  assert.deepEqual(rows, expected, name);
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
  assert.deepEqual([...received.shape], [...expected.shape], `shape of ${name}`);
  assertSameFloats(name, received.data, floats(reference.take(expected.file)), received.shape);
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

/** The numbers of each step, of a file that holds those of all. */
export function takeSteps(reference: Reference, { file, shape }: ReferenceTensor): readonly Float32Array[] {
  const all = floats(reference.take(file));
  const [steps = 0] = shape;
  const size = all.length / steps;
  return Array.from({ length: steps }, (_, step) => all.subarray(step * size, (step + 1) * size));
}
