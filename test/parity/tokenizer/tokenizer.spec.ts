import assert from "node:assert/strict";
import { FEW_CASES, made, openPair } from "./cases.js";
import { SHORT } from "./corpora/index.js";
import { assertNone, compareCorpora, compareDecoding } from "./parity.js";
import { RustTokenizers } from "./rust.js";

const SEED = 20;
const ROWS = 2000;
const LANGUAGES = 20;

describe("tokenizers give the ids, offsets and texts of Rust's tokenizers", () => {
  const rust = new RustTokenizers();
  let messages: readonly string[];

  before(async () => {
    const catalogues = await rust.catalogues();
    assert.ok(Object.keys(catalogues.languages).length >= LANGUAGES);
    messages = catalogues.messages;
  });
  after(() => rust.close());

  for (const tokenizer of FEW_CASES) {
    it(`${tokenizer.name}, on a part of the strings that \`npm run test:tokenizer\` compares`, async () => {
      const pair = await openPair(rust, tokenizer);
      assertNone(pair, await compareCorpora(pair, SHORT, SEED, messages));
      assertNone(pair, await compareDecoding(pair, ROWS, SEED));
    });
  }

  it("transformers' AutoTokenizer agrees with Rust's tokenizers on what it wrote itself", async () => {
    const { name, directory } = made("identity");
    await rust.open(name, await directory(rust));
    assert.equal(await rust.disagreements(name, messages.slice(0, ROWS)), 0);
  });
});
