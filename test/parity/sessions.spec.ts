import { describeShape, type Shape } from "./cases.js";
import { BITWISE } from "./comparing.js";
import { describeDecoding } from "./decoding.js";
import { NAMES } from "./models.js";
import { describeThreads, useSubject } from "./subject.js";

const SHAPES: readonly Shape[] = [
  { batch: 1, sourceLength: 13, targetLength: 5, masking: "none" },
  { batch: 4, sourceLength: 21, targetLength: 3, masking: "right" },
];

describe("a decoding session's logits are bitwise those of Hugging Face's generate", () => {
  for (const name of NAMES) {
    describe(name, () => {
      for (const threads of [1, 2]) {
        describe(describeThreads(threads), () => {
          const subject = useSubject(name, "exact", threads);
          for (const shape of SHAPES) describe(describeShape(shape), () => describeDecoding(subject, shape, BITWISE));
        });
      }
    });
  }
});
