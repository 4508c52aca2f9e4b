import assert from "node:assert/strict";
import { FEW_CASES, openPair } from "./cases.js";
import { SHORT } from "./corpora/index.js";
import { assertNone, compareCorpora, compareDecoding } from "./parity.js";
import { comparePipelines } from "./pipelines.js";
import { sharedRust } from "./shared.js";

const SEED = 20;
const ROWS = 2000;
const PIPELINES = 8;
const LANGUAGES = 20;
const CONVERTED = "custom";

describe("tokenizers give the ids, offsets and texts of Rust's tokenizers", () => {
  let messages: readonly string[];

  before(async () => {
    const catalogues = await sharedRust().catalogues();
    assert.ok(Object.keys(catalogues.languages).length >= LANGUAGES);
    messages = catalogues.messages;
  });

  for (const tokenizer of FEW_CASES) {
    it(`${tokenizer.name}, on a part of the strings that \`npm run test:tokenizer\` compares`, async () => {
      const pair = await openPair(sharedRust(), tokenizer);
      assertNone(pair, await compareCorpora(pair, SHORT, SEED, messages));
      assertNone(pair, await compareDecoding(pair, ROWS, SEED));
    });
  }

  it("random tokenizers, of whatever steps a tokenizer.json may have", async () => {
    assert.ok((await comparePipelines(SEED, PIPELINES, messages)) > PIPELINES * ROWS);
  });

  it("transformers' AutoTokenizer agrees with Rust's tokenizers on what it wrote itself", async () => {
    const rust = sharedRust();
    await rust.open(CONVERTED, await rust.make(CONVERTED));
    assert.equal(await rust.disagreements(CONVERTED, messages.slice(0, ROWS)), 0);
  });
});
