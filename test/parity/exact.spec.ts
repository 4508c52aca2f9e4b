import { SHAPES } from "./cases.js";
import { BITWISE } from "./comparing.js";
import { describeForward } from "./forward.js";
import { NAMES } from "./models.js";
import { describeThreads, useSubject } from "./subject.js";

/**
 * Several threads share the work of large operators. A few shapes of each kind show that both sides divide it alike.
 */
const SHAPES_BY_THREADS = new Map([
  [1, SHAPES],
  [2, SHAPES.filter((_, index) => index % 3 === 1)],
]);

describe("logits, hidden states and loss are bitwise those of Hugging Face", () => {
  for (const name of NAMES) {
    describe(name, () => {
      for (const [threads, shapes] of SHAPES_BY_THREADS) {
        describe(describeThreads(threads), () => describeForward(useSubject(name, "exact", threads), shapes, BITWISE));
      }
    });
  }
});
