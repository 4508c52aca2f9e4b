import assert from "node:assert/strict";
import { demoModel, T5Tokenizer } from "torch-t5";
import { FEW_CASES } from "./cases.js";
import { testHostileTexts } from "./hostile.js";
import { codePoints } from "./reporting.js";

/** `npm run test:tokenizer` goes to 2 ** 20, on every tokenizer. */
const SIZE = 2 ** 16;

describe("hostile texts get the ids, offsets and texts of Rust's tokenizers", () => {
  for (const tokenizer of FEW_CASES) testHostileTexts(tokenizer, SIZE);

  it("half a surrogate pair counts as U+FFFD", async () => {
    const tokenizer = await T5Tokenizer.fromPretrained(demoModel);
    for (const half of ["\ud800", "\udbff", "\udc00", "\udfff"]) {
      const { ids } = tokenizer.encode(`a${half}b`);
      assert.deepEqual([...ids], [...tokenizer.encode("a\ufffdb").ids], codePoints(half));
    }
  });
});
