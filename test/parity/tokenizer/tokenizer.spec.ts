import assert from "node:assert/strict";
import { demoModel, T5Tokenizer } from "torch-t5";
import { SHORT } from "./corpora/index.js";
import { assertNone, compareCorpora, compareDecoding, comparePipelines, testHostileTexts } from "./parity.js";
import { codePoints } from "./reporting.js";
import { sharedRust } from "./rust.js";
import { FEW_CASES, openPair } from "./subjects.js";

const SEED = 20;
const ROWS = 2000;
const PIPELINES = 8;
const MIN_LANGUAGES = 20;
const CONVERTED = "custom";
/** `npm run test:tokenizer` uses 2 ** 20, for every tokenizer. */
const HOSTILE_SIZE = 2 ** 16;

describe("tokenizers give the ids, offsets and texts of Rust's tokenizers", () => {
  let messages: readonly string[];

  before(async () => {
    const catalogues = await sharedRust().catalogues();
    assert.ok(Object.keys(catalogues.languages).length >= MIN_LANGUAGES);
    messages = catalogues.messages;
  });

  for (const tokenizer of FEW_CASES) {
    it(`${tokenizer.name}, for a part of the strings of \`npm run test:tokenizer\``, async () => {
      const pair = await openPair(sharedRust(), tokenizer);
      assertNone(pair, await compareCorpora(pair, SHORT, SEED, messages));
      assertNone(pair, await compareDecoding(pair, ROWS, SEED));
    });
  }

  it("random tokenizers, of any steps that a tokenizer.json may have", async () => {
    assert.ok((await comparePipelines(SEED, PIPELINES, messages)) > PIPELINES * ROWS);
  });

  it("transformers' AutoTokenizer gives the same ids as Rust's tokenizers for a tokenizer that it wrote", async () => {
    const rust = sharedRust();
    await rust.open(CONVERTED, await rust.make(CONVERTED));
    assert.equal(await rust.disagreements(CONVERTED, messages.slice(0, ROWS)), 0);
  });
});

describe("hostile texts get the ids, offsets and texts of Rust's tokenizers", () => {
  for (const tokenizer of FEW_CASES) testHostileTexts(tokenizer, HOSTILE_SIZE);

  it("half of a surrogate pair counts as U+FFFD", async () => {
    const tokenizer = await T5Tokenizer.fromPretrained(demoModel);
    for (const half of ["\ud800", "\udbff", "\udc00", "\udfff"]) {
      const { ids } = tokenizer.encode(`a${half}b`);
      assert.deepEqual([...ids], [...tokenizer.encode("a\ufffdb").ids], codePoints(half));
    }
  });
});
