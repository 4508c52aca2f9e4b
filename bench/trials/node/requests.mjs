// The requests of the suite `server`: texts of about 16 tokens, 10 documents, and ids for a short forward pass.
import { makeIds, START_ID } from "./ids.mjs";

const WORDS = "the number of people who live in a town near the river and work there each day".split(" ");
const DOCUMENT_WORDS = 32;

export const PROMPT = WORDS.slice(0, 14).join(" ");
export const QUERY = "how many people work near the river";
export const DOCUMENTS = Array.from({ length: 10 }, (_, index) =>
  Array.from({ length: DOCUMENT_WORDS }, (_, word) => WORDS[(word * (index + 1)) % WORDS.length]).join(" "),
);
/** One row, whose first position gets the logits of two tokens. */
export const INFER_INPUT = { inputIds: makeIds(1, 16), decoderInputIds: [[START_ID]] };
export const INFER_TOKENS = [1176, 6136];
