// What a model's generations start from, and which ids the model emits by itself. Options that name those ids take
// effect even with random weights: sequences end, and what is forbidden would occur.
import type { GenerateOptions } from "torch-t5";
import type { Reference } from "../support/reference.js";
import { type Case, makeCase, type Shape } from "./cases.js";
import type { GenerateCase, Habits } from "./generate-cases.js";
import { askGenerate, type Request } from "./generating.js";
import { EMBEDDED, type Name } from "./models.js";
import type { Subject } from "./subject.js";

const SHAPES: Readonly<Record<GenerateCase["source"], Shape>> = {
  batch: { batch: 3, sourceLength: 9, targetLength: 1, masking: "right" },
  row: { batch: 1, sourceLength: 7, targetLength: 1, masking: "none" },
};
const TEXTS: Readonly<Record<GenerateCase["source"], readonly string[]>> = {
  batch: ["spell number: 48213", "date to iso: March 5, 2021", "spell number: 7"],
  row: ["date to iso: 3/5/2021"],
};
/** Models with tied embeddings. With random weights, each predicts the token that it reads. */
const TIED: readonly Name[] = ["t5", "gated-silu", "wide", "umt5-tied"];

const STEPS = 12;
/** Ids that have a meaning in every model: padding and end. */
const SPECIAL = [0, 1];
/** An id that ends sequences is not among the first ones of any row, so that tokens come before it. */
const FIRST_STEPS = 2;
const MIN_ENDS = 3;
const MAX_ENDS = 5;

/** The strategies of the cases, and every sequence that they find. */
const PROBES: readonly GenerateOptions[] = [
  {},
  { numBeams: 3, numReturnSequences: 3 },
  { doSample: true, seed: 7, numReturnSequences: 2 },
  { numBeams: 3, doSample: true, seed: 8, numReturnSequences: 3 },
];

type Source = Pick<Case, "inputIds" | "attentionMask">;
type Sources = Readonly<Record<GenerateCase["source"], Source>>;

/** What a model's generations start from, and the ids that it emits by itself. */
export interface Generations {
  readonly sources: Sources;
  readonly habits: Habits;
  /** Options of every call of the model. */
  readonly base: GenerateOptions;
}

/** Makes a model's sources and learns its habits. */
export async function prepareGenerations(subject: Subject): Promise<Generations> {
  const base = baseOptions(subject.name);
  const sources = { batch: await makeSource(subject, "batch"), row: await makeSource(subject, "row") };
  const { name: model, threads } = subject;
  const habits = await learnHabits(subject.reference(), { model, threads, ...sources.batch, options: base });
  return { sources, habits, base };
}

/** Options of every call of a model: without them, a tied model with random weights repeats one token forever. */
export function baseOptions(name: Name): GenerateOptions {
  return TIED.includes(name) ? { noRepeatNgramSize: 2 } : {};
}

async function makeSource(subject: Subject, kind: GenerateCase["source"]): Promise<Source> {
  if (subject.name === EMBEDDED) return subject.ask("tokenize", { texts: TEXTS[kind] });
  const { inputIds, attentionMask } = makeCase(SHAPES[kind], subject.prepared().vocabSize);
  return attentionMask === undefined ? { inputIds } : { inputIds, attentionMask };
}

/** Asks the reference for generations without an end id, and counts their ids. */
async function learnHabits(reference: Reference, request: Request): Promise<Habits> {
  const rows: number[][] = [];
  for (const probe of PROBES) {
    const options = { ...request.options, maxNewTokens: STEPS, eosTokenId: [], ...probe };
    const { sequences } = await askGenerate(reference, { ...request, options });
    rows.push(...sequences.map((sequence) => sequence.slice(1)));
  }
  const allEnds = endingIds(rows);
  const [first, second, third, ...ends] = allEnds;
  // Distinct from the ends: an id that is forced as the end can't be suppressed as well.
  const usual = mostFrequent(rows).filter((id) => !allEnds.includes(id));
  const run = rows.find((row) => !SPECIAL.some((id) => row.slice(0, 3).includes(id))) ?? [];
  return {
    ends: [required(first), required(second), required(third), ...ends],
    usual: [required(usual[0]), required(usual[1]), required(usual[2]), required(usual[3])],
    runs: [run.slice(0, 2), run.slice(0, 3)],
  };
}

/** All ids but the special ones, the most frequent ones first. */
function mostFrequent(rows: readonly (readonly number[])[]): readonly number[] {
  const counts = new Map<number, number>();
  for (const id of rows.flat()) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const id of SPECIAL) counts.delete(id);
  return [...counts].sort(([a, countA], [b, countB]) => countB - countA || a - b).map(([id]) => id);
}

/** The ids that end the largest number of rows, among those that are not in the first steps of any row. */
function endingIds(rows: readonly (readonly number[])[]): readonly number[] {
  const tooEarly = new Set([...SPECIAL, ...rows.flatMap((row) => row.slice(0, FIRST_STEPS))]);
  const ends: number[] = [];
  let open = rows;
  while (ends.length < MAX_ENDS) {
    const candidates = mostFrequent(open.map((row) => [...new Set(row)])).filter((id) => !tooEarly.has(id));
    const [best] = candidates.filter((id) => !ends.includes(id));
    if (best === undefined) break;
    ends.push(best);
    // More ids are needed even if every row has ended: beam search keeps more candidates for each of them.
    const rest = open.filter((row) => !row.includes(best));
    open = rest.length > 0 || ends.length >= MIN_ENDS ? rest : rows;
  }
  return ends;
}

function required(id: number | undefined): number {
  if (id === undefined) throw new Error("The model emits too few different ids for these tests");
  return id;
}
