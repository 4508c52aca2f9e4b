// Runs the corpora through a tokenizer and the reference, and fails with the smallest texts on which they differ.
import assert from "node:assert/strict";
import { compareRows, compareTexts } from "./comparing.js";
import { type Batch, batches, type Extent } from "./corpora/index.js";
import { Random } from "./corpora/random.js";
import { describeDifference, shrinkRow, shrinkText } from "./reporting.js";
import type { Answers, RustTokenizers } from "./rust.js";
import type { Subject } from "./subject.js";

const LONGEST_ROW = 12;
const ROWS_PER_BATCH = 1000;
/** Special tokens and bytes are among them: half of a random row should be. */
const LOW_IDS = 300;
/** Shrinking takes a hundred questions or so. */
const SHRUNKEN_PER_BATCH = 3;
const SHRUNKEN = 25;

/** A tokenizer on both sides. */
export interface Pair {
  readonly name: string;
  readonly rust: RustTokenizers;
  readonly subject: Subject;
  /** How many ids, from 0 up, the reference decodes. */
  readonly idCount: number;
}

/** How much was compared, and the smallest inputs that differ. */
export interface Result {
  readonly compared: number;
  readonly differing: number;
  readonly smallest: readonly string[];
}

/** Compares ids, offsets and decoded texts of the corpora. The reference works on the next batch meanwhile. */
export async function compareCorpora(
  pair: Pair,
  extent: Extent,
  seed: number,
  messages: readonly string[],
  onBatch: (corpus: string, texts: readonly string[], answers: Answers) => void = () => {},
): Promise<Result> {
  const { name, rust, subject } = pair;
  const smallest = new Set<string>();
  let compared = 0;
  let differing = 0;
  const asked: (Batch & { readonly answers: Promise<Answers> })[] = [];
  const source = batches(extent, seed, messages);
  const ask = () => {
    const { value } = source.next();
    if (value) asked.push({ ...value, answers: rust.encode(name, value.texts) });
  };
  ask();
  for (let batch = asked.shift(); batch !== undefined; batch = asked.shift()) {
    const answers = await batch.answers;
    ask();
    const differences = compareTexts(subject, batch.texts, answers);
    onBatch(batch.corpus, batch.texts, answers);
    compared += batch.texts.length;
    differing += differences.length;
    for (const difference of differences.slice(0, smallest.size < SHRUNKEN ? SHRUNKEN_PER_BATCH : 0)) {
      const shrunken = await shrinkText(rust, name, subject, difference);
      smallest.add(describeDifference(shrunken ?? difference));
    }
  }
  return { compared, differing, smallest: [...smallest] };
}

/** Compares what random rows of ids are decoded to; some ids are none of the vocabulary's. */
export async function compareDecoding(pair: Pair, count: number, seed: number): Promise<Result> {
  const { name, rust, subject, idCount } = pair;
  const random = new Random(seed);
  const id = () => random.integer(0, (random.chance(0.4) ? Math.min(idCount, LOW_IDS) : idCount) - 1);
  const smallest = new Set<string>();
  let differing = 0;
  for (let done = 0; done < count; done += ROWS_PER_BATCH) {
    const rows = Array.from({ length: Math.min(ROWS_PER_BATCH, count - done) }, () =>
      Array.from({ length: random.integer(0, LONGEST_ROW) }, id),
    );
    const differences = compareRows(subject, rows, await rust.decode(name, rows));
    differing += differences.length;
    for (const difference of differences.slice(0, smallest.size < SHRUNKEN ? SHRUNKEN_PER_BATCH : 0)) {
      smallest.add(describeDifference((await shrinkRow(rust, name, subject, difference)) ?? difference));
    }
  }
  return { compared: count, differing, smallest: [...smallest] };
}

/** Fails with the smallest inputs that differ, if there are any. */
export function assertNone({ name }: Pair, { compared, differing, smallest }: Result): void {
  const lines = [`${name}: ${differing} of ${compared} differ from Rust's tokenizers; shrunken:`, ...smallest];
  assert.equal(differing, 0, lines.join("\n  "));
}
