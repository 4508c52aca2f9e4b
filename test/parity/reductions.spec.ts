import { BITWISE } from "./comparing.js";
import { describeReductions } from "./forward.js";
import { useSubject } from "./subject.js";

describe("what is reduced natively is bitwise a part of Hugging Face's logits", () => {
  describeReductions(useSubject("t5-v1.1", "exact", 2), BITWISE);
});
