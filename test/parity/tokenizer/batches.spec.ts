import assert from "node:assert/strict";
import { T5Tokenizer } from "torch-t5";
import { Random } from "./corpora/random.js";
import { realText } from "./corpora/texts.js";
import { sharedRust } from "./shared.js";

const TEXTS = 40;
const SEED = 9;
const RECIPES = ["custom", "byt5"];
const LENGTHS = [1, 2, 3, 7, 16, 64, 1000];
const MULTIPLES = [undefined, 1, 8, 64];

describe("batches are cut and padded as transformers does", () => {
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
      for (const maxLength of LENGTHS) {
        for (const padToMultipleOf of MULTIPLES) {
          const expected = await rust.batch(recipe, texts, { maxLength, padToMultipleOf });
          const { inputIds, attentionMask, shape } = tokenizer.encodeBatch(texts, { maxLength, padToMultipleOf });
          const of = `at most ${maxLength} ids, a multiple of ${padToMultipleOf}`;
          assert.deepEqual([...shape], [texts.length, expected.inputIds[0]?.length], of);
          assert.deepEqual([...inputIds], expected.inputIds.flat(), of);
          assert.deepEqual([...attentionMask], expected.attentionMask.flat(), of);
        }
      }
    });
  }
});
