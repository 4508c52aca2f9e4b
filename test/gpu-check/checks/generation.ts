// Compares the tokens of greedy and beam search with Hugging Face's, row by row: at many numbers of rows, over long
// sequences, and with rows that end early. Greedy tokens are also those of single session steps.
import type { GenerateOptions } from "torch-t5";
import type { Shape } from "../../parity/cases.js";
import { askGenerate } from "../../parity/generating.js";
import type { Finding, Settings } from "./settings.js";
import { eachSubject, inputsOf, ROW_COUNTS, type Subject, THREADS } from "./subject.js";
import { gapOf, isNearTie, rescore } from "./ties.js";

const STEPS = 24;
const FEW_STEPS = 8;
/** The id that Hugging Face pads with after the end of a sequence. */
const PAD = 0;
/** The maximum number of differences that a finding lists. */
const MAX_GAPS = 3;
/** More than a cache holds before it grows for the first time, and for the second. */
const MANY_STEPS = 200;

type Rows = readonly (readonly number[])[];
type Ids = readonly number[];

const shape = (batch: number, sourceLength: number, masking: Shape["masking"]): Shape => ({
  batch,
  sourceLength,
  targetLength: 1,
  masking,
});
const SHAPES = [shape(1, 13, "none"), shape(6, 40, "right")];
const GREEDY: GenerateOptions = { doSample: false, eosTokenId: [], maxNewTokens: STEPS };
const BEAMS: GenerateOptions = { ...GREEDY, numBeams: 4, numReturnSequences: 2 };

interface Case {
  readonly shapes: readonly Shape[];
  readonly options: GenerateOptions;
}

const CASES: Readonly<Record<string, Case>> = {
  greedy: { shapes: SHAPES, options: GREEDY },
  "4 beams": { shapes: SHAPES, options: BEAMS },
  [`greedy, ${MANY_STEPS} tokens`]: {
    shapes: [shape(3, 17, "right")],
    options: { ...GREEDY, maxNewTokens: MANY_STEPS },
  },
  [`greedy, ${ROW_COUNTS[0]} to ${ROW_COUNTS.at(-1)} rows`]: {
    shapes: ROW_COUNTS.map((rows) => shape(rows, 9, "right")),
    options: { ...GREEDY, maxNewTokens: FEW_STEPS },
  },
};

/** Findings for each model. In precisions that promise the same tokens, every row must be equal or a near tie. */
export async function* generation(settings: Settings): AsyncIterable<Finding> {
  const promisesTokens = settings.precision === "exact" || settings.precision === "float32";
  for await (const subject of eachSubject(settings)) {
    for (const [name, { shapes, options }] of Object.entries(CASES)) {
      const counts = new Counts(promisesTokens);
      for (const one of shapes) await compare(subject, one, options, counts);
      yield counts.finding(`${subject.name}, ${name}`);
    }
    const early = new Counts(promisesTokens);
    await compareEarlyEnds(subject, early);
    yield early.finding(`${subject.name}, greedy, early ends`);
    // The rows of many callers are not those of one batch, whose bits the steps have.
    if (!subject.batching) yield await compareWithSteps(subject);
  }
}

/** How many rows are equal, how many differ by a near tie, and how many tokens are equal. */
class Counts {
  #rows = 0;
  #equal = 0;
  #ties = 0;
  #tokens = 0;
  #equalTokens = 0;
  readonly #gaps: string[] = [];
  readonly #promisesTokens: boolean;

  constructor(promisesTokens: boolean) {
    this.#promisesTokens = promisesTokens;
  }

  /** Compares the results of one call, row by row. */
  async add(subject: Subject, source: Source, expected: Rows, found: Rows) {
    const perSource = expected.length / source.inputIds.length;
    for (const [index, wanted] of expected.entries()) {
      const received = found[index] ?? [];
      const first = firstDifference(wanted, received);
      this.#rows += 1;
      this.#tokens += wanted.length;
      this.#equalTokens += wanted.filter((id, position) => received[position] === id).length;
      if (first === undefined) {
        this.#equal += 1;
        continue;
      }
      if (!this.#promisesTokens) continue;
      const row = Math.floor(index / perSource);
      const only = rowOf(source, row);
      // Without the start id, which both begin with.
      const [one, other] = await rescore(subject, only, [wanted.slice(1), received.slice(1)]);
      if (one === undefined || other === undefined) continue;
      const gap = gapOf(one, other, first - 1);
      if (isNearTie(gap)) this.#ties += 1;
      const how = isNearTie(gap) ? "within" : "more than";
      this.#gaps.push(`${gap.difference.toExponential(1)} ${how} ${gap.allowed.toExponential(1)}`);
    }
  }

  finding(subject: string): Finding {
    return {
      subject,
      passed: !this.#promisesTokens || this.#equal + this.#ties === this.#rows,
      measured: {
        "equal rows": `${this.#equal} of ${this.#rows}`,
        "equal tokens": `${this.#equalTokens} of ${this.#tokens}`,
        "near ties": this.#ties,
        "difference of scores": this.#gaps.slice(0, MAX_GAPS).join("; "),
      },
    };
  }
}

async function compare(subject: Subject, one: Shape, options: GenerateOptions, counts: Counts): Promise<Rows> {
  const { source } = inputsOf(subject, one);
  const request = { model: subject.name, threads: THREADS, ...source, options };
  const expected = (await askGenerate(subject.reference, request)).sequences;
  await counts.add(subject, source, expected, await generate(subject, source, options));
  return expected;
}

/** Searches again with an end id at which the rows end at different steps: the first are padded while others go on. */
async function compareEarlyEnds(subject: Subject, counts: Counts): Promise<void> {
  const one = shape(5, 12, "right");
  const rows = await compare(subject, one, GREEDY, new Counts(false));
  const steps = (id: number) => new Set(rows.map((row) => row.indexOf(id, 1))).size;
  const ids = [...new Set(rows.flatMap((row) => row.slice(1)))].sort((a, b) => steps(b) - steps(a));
  await compare(subject, one, { ...GREEDY, eosTokenId: ids.slice(0, 1) }, counts);
}

/** In every precision, the greedy tokens of `generate` are those of single steps whose logits are compared here. */
async function compareWithSteps(subject: Subject): Promise<Finding> {
  let [rows, equal] = [0, 0];
  for (const count of ROW_COUNTS) {
    const { source } = inputsOf(subject, shape(count, 9, "right"));
    const generated = await generate(subject, source, { ...GREEDY, maxNewTokens: FEW_STEPS });
    using encoded = await subject.t5.encode(source);
    using session = encoded.startDecoding();
    const stepped: number[][] = generated.map(([start = 0]) => [start]);
    for (let step = 0; step < FEW_STEPS; step++) {
      const { logits } = await session.step(stepped.map((row) => row.slice(-1)));
      for (const [row, ids] of stepped.entries()) ids.push(bestOf(logits.row(row)));
      logits.dispose();
    }
    rows += count;
    equal += generated.filter((row, index) => firstDifference(row, stepped[index] ?? []) === undefined).length;
  }
  const measured = { "equal rows": `${equal} of ${rows}` };
  return { subject: `${subject.name}, generate and steps`, passed: equal === rows, measured };
}

type Source = ReturnType<typeof inputsOf>["source"];

async function generate(subject: Subject, source: Source, options: GenerateOptions): Promise<Rows> {
  if (subject.batching && source.inputIds.length > 1) return generateRows(subject, source, options);
  const { sequences } = await subject.t5.generate(source, options);
  return Array.from({ length: sequences.shape[0] ?? 0 }, (_, row) => Array.from(sequences.row(row)));
}

/** Each row by a caller of its own, all at the same time, padded as the rows of one batch. */
async function generateRows(subject: Subject, source: Source, options: GenerateOptions): Promise<Rows> {
  const calls = source.inputIds.map((_, row) => generate(subject, rowOf(source, row), options));
  const rows = (await Promise.all(calls)).flat();
  const length = Math.max(...rows.map((row) => row.length));
  return rows.map((row) => [...row, ...Array.from({ length: length - row.length }, () => PAD)]);
}

const rowOf = (source: Source, row: number) =>
  Object.fromEntries(Object.entries(source).map(([key, rows]) => [key, rows.slice(row, row + 1)])) as unknown as Source;

/** The first position where two rows differ; undefined if they are equal. */
function firstDifference(one: Ids, other: Ids): number | undefined {
  const length = Math.max(one.length, other.length);
  return Array.from({ length }, (_, position) => position).find((position) => one[position] !== other[position]);
}

/** The first id with the largest logit. */
function bestOf(logits: Float32Array): number {
  return logits.reduce((best, value, id) => (value > (logits[best] ?? Number.NaN) ? id : best), 0);
}
