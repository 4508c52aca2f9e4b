// Compares a tokenizer with the reference on whole corpora, and fails with the smallest texts for which they differ.
import assert from "node:assert/strict";
import { T5Error } from "torch-t5";
import { compareRows, compareTexts } from "./comparing.js";
import { hostileTexts } from "./corpora/hostile.js";
import { type Batch, batches, type Extent, SHORT } from "./corpora/index.js";
import { Random } from "./corpora/random.js";
import { describeDifference, shrinkRow, shrinkText } from "./reporting.js";
import { type Answers, sharedRust } from "./rust.js";
import { type Case, openPair, type Pair } from "./subjects.js";

const MAX_ROW_LENGTH = 12;
const ROWS_PER_BATCH = 1000;
/** Ids below this include special tokens and bytes, so random rows have more of them. */
const LOW_IDS = 300;
/** Shrinking one input takes about a hundred requests. */
const MAX_SHRUNKEN_PER_BATCH = 3;
const MAX_SHRUNKEN = 25;
const PIPELINE_ROWS = 300;
/** For instance those with two tokens that normalization makes equal. */
const MAX_REFUSED_SHARE = 0.05;
/** Few strings of each kind, for many tokenizers. */
const FEW: Extent = { ...SHORT, codePointStep: 397, markStep: 4001, randomTexts: 80, messageStep: 997 };

/** The number of inputs that were compared and that differ, and the smallest of these. */
export interface Result {
  readonly compared: number;
  readonly differing: number;
  readonly smallest: readonly string[];
}

/** Compares ids, offsets and decoded texts of the corpora, while the reference computes the next batch. */
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
    for (const difference of differences.slice(0, smallest.size < MAX_SHRUNKEN ? MAX_SHRUNKEN_PER_BATCH : 0)) {
      const shrunken = await shrinkText(rust, name, subject, difference);
      smallest.add(describeDifference(shrunken ?? difference));
    }
  }
  return { compared, differing, smallest: [...smallest] };
}

/** Compares the decoded texts of random rows of ids, some of which the vocabulary doesn't have. */
export async function compareDecoding(pair: Pair, count: number, seed: number): Promise<Result> {
  const { name, rust, subject, idCount } = pair;
  const random = new Random(seed);
  const id = () => random.integer(0, (random.chance(0.4) ? Math.min(idCount, LOW_IDS) : idCount) - 1);
  const smallest = new Set<string>();
  let differing = 0;
  for (let done = 0; done < count; done += ROWS_PER_BATCH) {
    const rows = Array.from({ length: Math.min(ROWS_PER_BATCH, count - done) }, () =>
      Array.from({ length: random.integer(0, MAX_ROW_LENGTH) }, id),
    );
    const differences = compareRows(subject, rows, await rust.decode(name, rows));
    differing += differences.length;
    for (const difference of differences.slice(0, smallest.size < MAX_SHRUNKEN ? MAX_SHRUNKEN_PER_BATCH : 0)) {
      smallest.add(describeDifference((await shrinkRow(rust, name, subject, difference)) ?? difference));
    }
  }
  return { compared: count, differing, smallest: [...smallest] };
}

/** Fails if any input differs, with the smallest ones. */
export function assertNone({ name }: Pair, { compared, differing, smallest }: Result): void {
  const lines = [`${name}: ${differing} of ${compared} differ from Rust's tokenizers; shrunken:`, ...smallest];
  assert.equal(differing, 0, lines.join("\n  "));
}

/** Compares the random tokenizers of seeds, of which nearly all have to load. Resolves to the number of texts compared. */
export async function comparePipelines(firstSeed: number, count: number, messages: readonly string[]): Promise<number> {
  let compared = 0;
  const refused: string[] = [];
  const failures: string[] = [];
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    try {
      const name = `pipeline ${seed}`;
      const pair = await openPair(sharedRust(), { name, directory: (rust) => rust.pipeline(seed) });
      const texts = await compareCorpora(pair, FEW, seed, messages);
      compared += texts.compared;
      assertNone(pair, texts);
      assertNone(pair, await compareDecoding(pair, PIPELINE_ROWS, seed));
    } catch (error) {
      const isRefusal = error instanceof T5Error && error.code === "ERR_MODEL_CORRUPT";
      (isRefusal ? refused : failures).push(`pipeline ${seed}: ${error instanceof Error ? error.message : error}`);
    }
  }
  assert.ok(refused.length <= count * MAX_REFUSED_SHARE, `Too many refusals:\n${refused.join("\n")}`);
  assert.equal(failures.length, 0, `${failures.length} of ${count} random tokenizers differ:\n${failures.join("\n")}`);
  return compared;
}

/**
 * Declares a test for each hostile text, the longest of which have `size` UTF-16 units. At such lengths a step that takes more
 * than linear time doesn't end.
 */
export function testHostileTexts(tokenizer: Case, size: number): void {
  describe(`${tokenizer.name}, hostile texts of up to ${size} characters`, () => {
    let pair: Pair;
    before(async () => {
      pair = await openPair(sharedRust(), tokenizer);
    });

    for (const [what, text] of hostileTexts(size)) {
      it(what, async () => {
        const answers = await pair.rust.encode(pair.name, [text]);
        const differences = compareTexts(pair.subject, [text], answers);
        // deepEqual with an empty array would print a million ids.
        assert.equal(differences[0]?.what, undefined);
      });
    }
  });
}
