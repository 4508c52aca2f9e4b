// Every string of the corpora with every tokenizer. It takes minutes, so only `npm run test:tokenizer` runs it.
import assert from "node:assert/strict";
import { type Extent, WHOLE, WIDE } from "./corpora/index.js";
import { assertNone, compareCorpora, compareDecoding, comparePipelines, testHostileTexts } from "./parity.js";
import { sharedRust } from "./rust.js";
import { ALL_CASES, CONVERTED, openPair } from "./subjects.js";

const MIN_COMPARED = 100_000;
const MESSAGES = 10_000;
const BYTE_MARK_STEP = 37;

const seed = Number(process.env.TORCH_T5_TOKENIZER_SEED ?? 1);
const { extent, pipelines, hostileSize } = chosenRun();

describe(`every string on Node ${process.versions.node}, Unicode ${process.versions.unicode}, seed ${seed}`, function () {
  this.timeout(0);
  let messages: readonly string[];

  before(async () => {
    messages = (await sharedRust().catalogues()).messages;
  });

  for (const tokenizer of ALL_CASES) {
    it(tokenizer.name, async () => {
      const pair = await openPair(sharedRust(), tokenizer);
      const counts = new Map<string, number>();
      const texts = await compareCorpora(pair, extentFor(tokenizer.name), seed, messages, (corpus, { length }) => {
        counts.set(corpus, (counts.get(corpus) ?? 0) + length);
      });
      const rows = await compareDecoding(pair, extent.randomTexts, seed);
      const parts = Array.from(counts, ([corpus, count]) => `${corpus} ${count}`).join(", ");
      process.stdout.write(`      ${texts.compared} texts (${parts}), ${rows.compared} rows of ids\n`);
      assertNone(pair, texts);
      assertNone(pair, rows);
      assert.ok(texts.compared >= MIN_COMPARED, "fewer texts than docs/tokenizer-parity.md promises");
      // The exporter writes the tokenizer.json of an AutoTokenizer, so both have to give the same ids.
      if (!CONVERTED.includes(tokenizer.name)) return;
      assert.equal(
        await sharedRust().disagreements(tokenizer.name, messages.slice(0, MESSAGES)),
        0,
        "AutoTokenizer differs",
      );
    });
  }

  it("random tokenizers", async () => {
    const compared = await comparePipelines(seed * pipelines, pipelines, messages);
    process.stdout.write(`      ${compared} texts\n`);
  });

  for (const tokenizer of ALL_CASES) testHostileTexts(tokenizer, hostileSize);
});

function chosenRun() {
  const runs = {
    whole: { extent: WHOLE, pipelines: 200, hostileSize: 2 ** 20 },
    wide: { extent: WIDE, pipelines: 40, hostileSize: 2 ** 17 },
  };
  return process.env.TORCH_T5_TOKENIZER_EXTENT === "wide" ? runs.wide : runs.whole;
}

/** Fewer combining marks for ByT5: its reference is slow, and its ids don't depend on neighbouring characters. */
function extentFor(name: string): Extent {
  return name === "byt5" ? { ...extent, markStep: extent.markStep * BYTE_MARK_STEP } : extent;
}
