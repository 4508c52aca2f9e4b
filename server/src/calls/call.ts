// What every call of a model gets: the limits, the signal that ends it, and the counter of tokens.
import type { T5Tokenizer } from "torch-t5";
import type { Limits } from "../config/schema.js";

/** Counts the tokens of a model's requests. */
export type CountTokens = (model: string, kind: "source" | "generated", count: number) => void;

/** The surroundings of a call. */
export interface CallContext {
  readonly limits: Limits;
  readonly signal: AbortSignal;
  readonly countTokens: CountTokens;
}

/** The tokenizer of a model, which may lack one. */
export interface WithTokenizer {
  readonly tokenizer: T5Tokenizer | undefined;
}
