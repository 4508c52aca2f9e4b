// Learns which ids a model emits by itself, so that random weights come to an end, repeat what is forbidden, and so on.
import type { GenerateOptions } from "torch-t5";
import type { Reference } from "../support/reference.js";
import type { Habits } from "./generate-cases.js";
import { askGenerate, type Request } from "./generating.js";

const STEPS = 12;
/** Ids that mean something to every model as they are: padding, and the end. */
const OWN = [0, 1];
/** An end is an id that no row begins with: something comes before it. */
const FIRST_STEPS = 2;
const FEWEST_ENDS = 3;
const MOST_ENDS = 5;

/** The strategies of the cases, with all that they find. */
const PROBES: readonly GenerateOptions[] = [
  {},
  { numBeams: 3, numReturnSequences: 3 },
  { doSample: true, seed: 7, numReturnSequences: 2 },
  { numBeams: 3, doSample: true, seed: 8, numReturnSequences: 3 },
];

/** Asks the reference for generations that never end, and counts. */
export async function learnHabits(reference: Reference, request: Request): Promise<Habits> {
  const rows: number[][] = [];
  for (const probe of PROBES) {
    const options = { ...request.options, maxNewTokens: STEPS, eosTokenId: [], ...probe };
    const { sequences } = await askGenerate(reference, { ...request, options });
    rows.push(...sequences.map((sequence) => sequence.slice(1)));
  }
  const allEnds = endingIds(rows);
  const [first, second, third, ...ends] = allEnds;
  // Apart from each other: an id that is forced to end can't be suppressed as well.
  const usual = mostFrequent(rows).filter((id) => !allEnds.includes(id));
  const run = rows.find((row) => !OWN.some((id) => row.slice(0, 3).includes(id))) ?? [];
  return {
    ends: [required(first), required(second), required(third), ...ends],
    usual: [required(usual[0]), required(usual[1]), required(usual[2]), required(usual[3])],
    runs: [run.slice(0, 2), run.slice(0, 3)],
  };
}

/** Ids, those first that are emitted most often. */
function mostFrequent(rows: readonly (readonly number[])[]): readonly number[] {
  const counts = new Map<number, number>();
  for (const id of rows.flat()) counts.set(id, (counts.get(id) ?? 0) + 1);
  for (const id of OWN) counts.delete(id);
  return [...counts].sort(([a, countA], [b, countB]) => countB - countA || a - b).map(([id]) => id);
}

/** The ids that end most of the rows, of those that no row begins with. */
function endingIds(rows: readonly (readonly number[])[]): readonly number[] {
  const tooEarly = new Set([...OWN, ...rows.flatMap((row) => row.slice(0, FIRST_STEPS))]);
  const ends: number[] = [];
  let open = rows;
  while (ends.length < MOST_ENDS) {
    const candidates = mostFrequent(open.map((row) => [...new Set(row)])).filter((id) => !tooEarly.has(id));
    const [best] = candidates.filter((id) => !ends.includes(id));
    if (best === undefined) break;
    ends.push(best);
    // Where nothing is left to end, more ids are wanted all the same: beams keep more for each of them.
    const rest = open.filter((row) => !row.includes(best));
    open = rest.length > 0 || ends.length >= FEWEST_ENDS ? rest : rows;
  }
  return ends;
}

function required(id: number | undefined): number {
  if (id === undefined) throw new Error("The model emits too few different ids for these tests");
  return id;
}
