import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { T5Tokenizer } from "torch-t5";
import { compareRows, compareTexts } from "./comparing.js";
import { codePoints } from "./reporting.js";
import { sharedRust } from "./rust.js";
import { openTokenizer, openUpstream, type Subject } from "./subjects.js";

const LONG_WORD = 2 ** 19;
/** An id that no vocabulary here has. */
const UNUSED_ID = 2 ** 20;

/** A text for which the two differ, or tokens whose decoded texts differ. */
type Example = { readonly text: string } | { readonly tokens: readonly string[] };

type UpstreamDifference = Example & {
  /** The recipe, in reference/recipes.py, of a tokenizer that shows the difference. */
  readonly recipe: string;
  readonly what: string;
};

// The smallest examples, which docs/tokenizer-parity.md explains. They also prove that the comparison can fail.
const UPSTREAM_DIFFERENCES: readonly UpstreamDifference[] = [
  { what: "it executes no charsmap but SentencePiece's own", recipe: "custom", text: "a" },
  { what: "it doesn't fold case", recipe: "nfkc_cf", text: "S" },
  { what: "it removes control characters that the charsmap keeps", recipe: "nfkc_cf", text: "\u0001" },
  { what: "it replaces joiners that the charsmap keeps by spaces", recipe: "nmt_nfkc", text: "\u200d" },
  { what: "it keeps a character that the charsmap replaces by a space", recipe: "nmt_nfkc", text: "a\u061ca" },
  { what: "it doesn't look up a short grapheme cluster whole", recipe: "nmt_nfkc", text: "a\u0301\u0301" },
  { what: "it keeps the mark of white space with a mark", recipe: "nmt_nfkc", text: "\u2003\u0301" },
  { what: "it reorders marks, which the charsmap doesn't", recipe: "nmt_nfkc", text: "\u0301\u064f" },
  { what: "it composes two results of the charsmap", recipe: "nmt_nfkc", text: "\uffa9\uffdc" },
  { what: "half of a surrogate pair isn't U+FFFD", recipe: "nmt_nfkc", text: "\ud800" },
  { what: "U+0085 isn't white space", recipe: "identity", text: "\u0085" },
  { what: "U+FEFF is white space", recipe: "identity", text: "\ufeff" },
  { what: "lstrip and rstrip remove U+FEFF", recipe: "first", text: "\ufeff<left>" },
  { what: "it has no byte fallback", recipe: "byte-pieces", text: "\u0301" },
  { what: "it ignores single_word", recipe: "older", text: "worda" },
  { what: "the first word is the one at the beginning of the normalized text", recipe: "first", text: " a" },
  { what: "a word after a normalized added token counts as a first word", recipe: "first", text: "a12a" },
  { what: "a normalized added token decodes to its original content", recipe: "older", text: "12" },
  { what: "a decoder that never prepends removes a space", recipe: "never", text: "a" },
  { what: "invalid bytes aren't one U+FFFD each", recipe: "byte-pieces", tokens: ["<0xE2>", "<0x00>"] },
  { what: "it removes a byte order mark", recipe: "byte-pieces", tokens: ["<0xEF>", "<0xBB>", "<0xBF>"] },
  { what: "an id without a token decodes to <unk>", recipe: "nmt_nfkc", tokens: ["(none)"] },
];

const page = readFileSync(new URL("../../../docs/tokenizer-parity.md", import.meta.url), "utf8");

describe("where @huggingface/tokenizers differs from Rust's tokenizers", () => {
  for (const difference of UPSTREAM_DIFFERENCES) {
    it(difference.what, async () => {
      const rust = sharedRust();
      const directory = await rust.make(difference.recipe);
      await rust.open(difference.recipe, directory);
      assert.equal(
        await countDifferences(openUpstream(directory), difference, directory),
        1,
        "@huggingface/tokenizers has no such difference",
      );
      assert.equal(
        await countDifferences(await openTokenizer(directory), difference, directory),
        0,
        "T5Tokenizer has this difference too",
      );
    });

    it(`docs/tokenizer-parity.md shows an example: ${difference.what}`, () => {
      const shown = "text" in difference ? codePoints(difference.text) : difference.tokens.join(" ");
      assert.ok(page.includes(`\`${shown}\``), shown);
    });
  }

  it("a long word overflows its stack", async () => {
    const upstream = openUpstream(await sharedRust().make("nmt_nfkc"));
    assert.throws(() => upstream.encode("a".repeat(LONG_WORD)), RangeError);
  });
});

/** The number of differences between a tokenizer and the reference in an example: 0 or 1. */
async function countDifferences(subject: Subject, difference: UpstreamDifference, directory: string): Promise<number> {
  const rust = sharedRust();
  const { recipe } = difference;
  if ("text" in difference) {
    return compareTexts(subject, [difference.text], await rust.encode(recipe, [difference.text])).length;
  }
  const tokenizer = await T5Tokenizer.fromPretrained(directory);
  const ids = difference.tokens.map((token) => tokenizer.tokenToId(token) ?? UNUSED_ID);
  return compareRows(subject, [ids], await rust.decode(recipe, [ids])).length;
}
