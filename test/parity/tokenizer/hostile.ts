// Declares the tests on hostile texts, for one tokenizer. A step that takes more than linear time makes a million steps out of one
// at these lengths: its test does not end.
import assert from "node:assert/strict";
import { type Case, openPair } from "./cases.js";
import { compareTexts } from "./comparing.js";
import { hostileTexts } from "./corpora/hostile.js";
import type { Pair } from "./parity.js";
import { sharedRust } from "./shared.js";

/** Declares a test for each text, the longest of which have `size` UTF-16 units. */
export function testHostileTexts(tokenizer: Case, size: number): void {
  describe(`${tokenizer.name}, hostile texts of up to ${size} characters`, () => {
    let pair: Pair;
    before(async () => {
      pair = await openPair(sharedRust(), tokenizer);
    });

    for (const [what, text] of hostileTexts(size)) {
      it(what, async () => {
        const answers = await pair.rust.encode(pair.name, [text]);
        const differences = compareTexts(pair.subject, [text], answers);
        // Not deepEqual with an empty array: a message of a million ids helps nobody.
        assert.equal(differences[0]?.what, undefined);
      });
    }
  });
}
