import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { T5Tokenizer } from "torch-t5";
import { compareRows, compareTexts } from "./comparing.js";
import { codePoints } from "./reporting.js";
import { sharedRust } from "./shared.js";
import { openPlain, openTokenizer, type Subject } from "./subject.js";
import { UPSTREAM_DIFFERENCES, type UpstreamDifference } from "./upstream.js";

const LONG_WORD = 2 ** 19;
const NO_TOKEN = 2 ** 20;

const page = readFileSync(new URL("../../../docs/tokenizer-parity.md", import.meta.url), "utf8");

describe("what @huggingface/tokenizers does otherwise than Rust's tokenizers", () => {
  for (const difference of UPSTREAM_DIFFERENCES) {
    it(difference.what, async () => {
      const rust = sharedRust();
      const directory = await rust.make(difference.recipe);
      await rust.open(difference.recipe, directory);
      assert.equal(await count(openPlain(directory), difference, directory), 1, "there is no such difference");
      assert.equal(await count(await openTokenizer(directory), difference, directory), 0, "T5Tokenizer differs, too");
    });

    it(`docs/tokenizer-parity.md shows that ${difference.what}`, () => {
      const shown = "text" in difference ? codePoints(difference.text) : difference.tokens.join(" ");
      assert.ok(page.includes(`\`${shown}\``), shown);
    });
  }

  it("a long word overflows its stack", async () => {
    const plain = openPlain(await sharedRust().make("nmt_nfkc"));
    assert.throws(() => plain.encode("a".repeat(LONG_WORD)), RangeError);
  });
});

/** How many differences a tokenizer shows. */
async function count(subject: Subject, difference: UpstreamDifference, directory: string): Promise<number> {
  const rust = sharedRust();
  const { recipe } = difference;
  if ("text" in difference) {
    return compareTexts(subject, [difference.text], await rust.encode(recipe, [difference.text])).length;
  }
  const tokenizer = await T5Tokenizer.fromPretrained(directory);
  const ids = difference.tokens.map((token) => tokenizer.tokenToId(token) ?? NO_TOKEN);
  return compareRows(subject, [ids], await rust.decode(recipe, [ids])).length;
}
