import assert from "node:assert/strict";
import { T5Tokenizer } from "torch-t5";
import { Random } from "./corpora/random.js";
import { realText } from "./corpora/texts.js";
import { sharedRust } from "./rust.js";

const TEXTS = 40;
const SEED = 9;
const RECIPES = ["custom", "byt5"];
const LENGTHS = [undefined, 1, 2, 3, 7, 16, 64, 960];
const MULTIPLES = [undefined, 1, 3, 8, 64];
// transformers throws for a maxLength that isn't a multiple of padToMultipleOf.
const OPTIONS = LENGTHS.flatMap((maxLength) =>
  MULTIPLES.filter((multiple) => (maxLength ?? 0) % (multiple ?? 1) === 0).map((padToMultipleOf) => ({
    maxLength,
    padToMultipleOf,
  })),
);

describe("batches are truncated and padded as in transformers", () => {
  let texts: readonly string[];

  before(async () => {
    const { messages } = await sharedRust().catalogues();
    const random = new Random(SEED);
    texts = ["", " ", ...Array.from({ length: TEXTS }, () => realText(random, messages))];
  });

  for (const recipe of RECIPES) {
    it(recipe, async () => {
      const rust = sharedRust();
      const directory = await rust.make(recipe);
      await rust.open(recipe, directory);
      const tokenizer = await T5Tokenizer.fromPretrained(directory);
      for (const options of OPTIONS) {
        const expected = await rust.batch(recipe, texts, options);
        const { inputIds, attentionMask, shape } = tokenizer.encodeBatch(texts, options);
        const of = JSON.stringify(options);
        assert.deepEqual([...shape], [texts.length, expected.inputIds[0]?.length], of);
        assert.deepEqual([...inputIds], expected.inputIds.flat(), of);
        assert.deepEqual([...attentionMask], expected.attentionMask.flat(), of);
      }
    });
  }
});
