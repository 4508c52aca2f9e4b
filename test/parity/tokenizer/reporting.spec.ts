import assert from "node:assert/strict";
import type { Difference } from "./comparing.js";
import { codePoints, describeDifference, shrink } from "./reporting.js";

const PLAIN = ["a"];

/** Shrinks a text that fails if it matches `failing`. */
async function shrinkTo(text: string, failing: RegExp): Promise<string> {
  const smallest = await shrink([...text], PLAIN, async (candidates) =>
    candidates.map((characters) => failing.test(characters.join(""))),
  );
  return smallest.join("");
}

describe("a failing text", () => {
  it("is reduced to the characters that fail, wherever they are", async () => {
    const noise = "some text \u{1f600} ".repeat(50);
    for (const text of [`xy${noise}`, `${noise}x${noise}y${noise}`, `${noise}xy`]) {
      assert.equal(await shrinkTo(text, /x.*y/su), "xy");
    }
  });

  it("has plain characters where any character fails", async () => {
    assert.equal(await shrinkTo("k\u00e9\u00e9\u00e9z", /^...$/u), "aaa");
  });

  it("is printed as code points, with the expected and the received value", () => {
    const difference: Difference<string> = { input: "a\u{1f600}\ud800", what: "ids", expected: [1], received: [2, 1] };
    assert.equal(describeDifference(difference), "text U+0061 U+1F600 U+D800: expected ids [1] but received [2,1]");
    assert.equal(codePoints(""), "(empty)");
  });
});
