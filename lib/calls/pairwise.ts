// duoT5 (Pradeep et al., 2021): every document against every other one, in both orders.
import { INT32_MAX } from "../util/validation.js";
import type { Call } from "./call.js";
import { judge, type PromptDocuments, type RelevancePlan } from "./relevance.js";

/** A document's preferences over all others. */
export interface Preference {
  /** The sum over the others of p(this, other) + 1 - p(other, this). */
  readonly sum: number;
  /** `sum` divided by its maximum, from 0 to 1: the mean probability that this document is the more relevant one. */
  readonly mean: number;
  /** Whether the document was truncated in any of its prompts. */
  readonly truncated: boolean;
}

/** The maximum number of documents, whose pairs are counted in int32. */
export const MAX_PAIRED_DOCUMENTS = Math.floor((1 + Math.sqrt(1 + 4 * INT32_MAX)) / 2);

/**
 * Probabilities are rounded to a multiple of 2^-36. Sums of all pairs of `MAX_PAIRED_DOCUMENTS` are then exact in
 * float64, so that documents of equal preferences tie, whatever the order of the pairs.
 */
const STEPS = 2 ** 36;

/** The mean of a single document, which is compared with no other one. */
const EVEN = 0.5;

type Pair = readonly [first: number, second: number];

/**
 * Compares all ordered pairs of documents, `batchSize` at once, and sums as PyGaggle's DuoT5 does: SYM-SUM in the paper.
 */
export async function comparePairs(
  call: Call,
  plan: RelevancePlan,
  documents: readonly string[],
  batchSize: number,
): Promise<readonly Preference[]> {
  const sums = new Float64Array(documents.length);
  const truncated = documents.map(() => false);
  for (const batch of batched(pairsOf(documents.length), batchSize)) {
    const judgements = await judge(
      call,
      plan,
      batch.map((pair) => promptDocuments(documents, pair)),
    );
    for (const [index, pair] of batch.entries()) {
      const { score = Number.NaN, truncated: cut = [] } = judgements[index] ?? {};
      const probability = Math.round(Math.exp(score) * STEPS) / STEPS;
      for (const [place, document] of pair.entries()) {
        sums[document] = (sums[document] ?? 0) + (place === 0 ? probability : 1 - probability);
        if (cut[place]) truncated[document] = true;
      }
    }
  }
  const maximum = 2 * (documents.length - 1);
  return Array.from(sums, (sum, index) => ({
    sum,
    mean: maximum === 0 ? EVEN : sum / maximum,
    truncated: truncated[index] ?? false,
  }));
}

function promptDocuments(documents: readonly string[], [first, second]: Pair): PromptDocuments {
  return {
    documents: [documents[first] ?? "", documents[second] ?? ""],
    name: `documents[${first}] and documents[${second}]`,
  };
}

/** All ordered pairs of different numbers below `count`, made on demand. */
function* pairsOf(count: number): Generator<Pair> {
  for (let first = 0; first < count; first++) {
    for (let second = 0; second < count; second++) if (first !== second) yield [first, second];
  }
}

function* batched<Item>(items: Iterable<Item>, size: number): Generator<readonly Item[]> {
  let batch: Item[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
