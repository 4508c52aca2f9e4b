import assert from "node:assert/strict";
import type { Difference } from "./comparing.js";
import { codePoints, describeDifference } from "./reporting.js";
import { shrink } from "./shrinking.js";

const PLAIN = ["a"];

/** Shrinks a text under the rule that it fails where it has these characters in this order. */
async function shrinkTo(text: string, failing: RegExp): Promise<string> {
  const smallest = await shrink([...text], PLAIN, async (candidates) =>
    candidates.map((characters) => failing.test(characters.join(""))),
  );
  return smallest.join("");
}

describe("a failing text", () => {
  it("is cut to what fails, wherever in it that is", async () => {
    const noise = "some text \u{1f600} ".repeat(50);
    for (const text of [`xy${noise}`, `${noise}x${noise}y${noise}`, `${noise}xy`]) {
      assert.equal(await shrinkTo(text, /x.*y/su), "xy");
    }
  });

  it("has plain characters where any would do", async () => {
    assert.equal(await shrinkTo("k\u00e9\u00e9\u00e9z", /^...$/u), "aaa");
  });

  it("is printed as code points, with what was expected and what came", () => {
    const difference: Difference<string> = { input: "a\u{1f600}\ud800", what: "ids", expected: [1], received: [2, 1] };
    assert.equal(describeDifference(difference), "text U+0061 U+1F600 U+D800: expected ids [1] but received [2,1]");
    assert.equal(codePoints(""), "(empty)");
  });
});
