import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EncodeBatchOptions, T5Tokenizer } from "torch-t5";
import { withDirectory } from "../../support/directory.js";
import { Random } from "./corpora/random.js";
import { realText } from "./corpora/texts.js";
import { sharedRust } from "./rust.js";

const TEXTS = 40;
const SEED = 9;
const RECIPES = ["custom", "byt5"];
const LENGTHS = [undefined, 1, 2, 3, 7, 16, 64, 960];
const MULTIPLES = [undefined, 1, 3, 8, 64];
// transformers throws for a maxLength that isn't a multiple of padToMultipleOf.
const PADDED = LENGTHS.flatMap((maxLength) =>
  MULTIPLES.filter((multiple) => (maxLength ?? 0) % (multiple ?? 1) === 0).map((padToMultipleOf) => ({
    maxLength,
    padToMultipleOf,
  })),
);
const WITHOUT_SPECIAL_TOKENS = LENGTHS.map((maxLength) => ({ maxLength, addSpecialTokens: false }));
const MODEL_MAX_LENGTH = 12;
const TRUNCATED = [true, false].flatMap((addSpecialTokens) =>
  [{ truncation: true }, { truncation: true, maxLength: 5 }, {}].map((options) => ({ ...options, addSpecialTokens })),
);
/** Settings of tokenizer_config.json, and the entry "truncation" of tokenizer.json. */
const SETTINGS: readonly (readonly [config: object, saved?: object])[] = [
  [{}],
  [{ truncation_side: "left" }],
  [{ truncation_side: "right" }, { direction: "Left", max_length: 3, strategy: "LongestFirst", stride: 0 }],
  [{}, { direction: "Left", max_length: 3, strategy: "LongestFirst", stride: 0 }],
];

describe("batches are truncated and padded as in transformers", () => {
  let texts: readonly string[];

  before(async () => {
    const { messages } = await sharedRust().catalogues();
    const random = new Random(SEED);
    texts = ["", " ", ...Array.from({ length: TEXTS }, () => realText(random, messages))];
  });

  for (const recipe of RECIPES) {
    it(recipe, async () => {
      const directory = await sharedRust().make(recipe);
      await compare(recipe, directory, texts, [...PADDED, ...WITHOUT_SPECIAL_TOKENS]);
    });

    for (const [config, saved] of SETTINGS) {
      const title = JSON.stringify([config, ...(saved === undefined ? [] : [saved])]);
      it(`${recipe}, with a model_max_length and ${title}`, () =>
        withDirectory(async (directory) => {
          cpSync(await sharedRust().make(recipe), directory, { recursive: true });
          change(join(directory, "tokenizer_config.json"), { model_max_length: MODEL_MAX_LENGTH, ...config });
          const file = join(directory, "tokenizer.json");
          if (saved !== undefined && existsSync(file)) change(file, { truncation: saved });
          assert.equal((await T5Tokenizer.fromPretrained(directory)).modelMaxLength, MODEL_MAX_LENGTH);
          await compare(`${recipe} ${title}`, directory, texts, TRUNCATED);
        }));
    }
  }
});

/** Compares the batches, and with each text's own ids whether it was truncated. */
async function compare(
  name: string,
  directory: string,
  texts: readonly string[],
  variants: readonly EncodeBatchOptions[],
): Promise<void> {
  const rust = sharedRust();
  await rust.open(name, directory);
  const tokenizer = await T5Tokenizer.fromPretrained(directory);
  for (const options of variants) {
    const expected = await rust.batch(name, texts, options);
    const { truncated, ...batch } = tokenizer.encodeBatch(texts, options);
    const { inputIds, attentionMask, shape } = batch;
    const of = JSON.stringify(options);
    assert.deepEqual([...shape], [texts.length, expected.inputIds[0]?.length], of);
    assert.deepEqual([...inputIds], expected.inputIds.flat(), of);
    assert.deepEqual([...attentionMask], expected.attentionMask.flat(), of);
    assert.deepEqual(await tokenizer.encodeBatchAsync(texts, options), { ...batch, ...(truncated && { truncated }) });
    const { maxLength, truncation, addSpecialTokens } = options;
    const isTruncating = maxLength !== undefined || truncation === true;
    assert.equal(truncated !== undefined, isTruncating, of);
    const limit = maxLength ?? MODEL_MAX_LENGTH;
    const special = addSpecialTokens === undefined ? {} : { addSpecialTokens };
    for (const [index, isTruncated] of (truncated ?? []).entries()) {
      assert.equal(isTruncated, tokenizer.countTokens(texts[index] ?? "", special) > limit, `${of}, text ${index}`);
      assert.equal(tokenizer.encode(texts[index] ?? "", encodeOptions(options)).truncated, isTruncated);
    }
  }
}

function encodeOptions({ padToMultipleOf: _, ...options }: EncodeBatchOptions) {
  return options;
}

function change(file: string, settings: object): void {
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...settings }));
}
