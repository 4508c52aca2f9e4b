// The limits of requests, all of which are checked before native code runs.
import type { T5Tokenizer } from "torch-t5";
import type { Limits } from "../config/schema.js";
import { expected } from "../errors/server-error.js";
import type { WithTokenizer } from "./call.js";

/** Throws ERR_LIMIT for more rows than `limits.rows`, and ERR_INVALID_ARGUMENT for none. */
export function checkRows(count: number, name: string, { rows }: Limits): void {
  if (count === 0) throw expected("at least one", name, 0);
  if (count > rows) throw expected(`at most ${rows}`, `the number of ${name}`, count, "ERR_LIMIT");
}

/** Throws ERR_LIMIT for a row of more ids than `limits.tokens`. */
export function checkLength(count: number, name: string, { tokens }: Limits): void {
  if (count > tokens) throw expected(`at most ${tokens}`, `the number of tokens of ${name}`, count, "ERR_LIMIT");
}

/** Throws ERR_INVALID_ARGUMENT for a model that takes ids only. */
export function tokenizerOf({ tokenizer }: WithTokenizer): T5Tokenizer {
  if (tokenizer !== undefined) return tokenizer;
  throw expected("a model with a tokenizer", "texts", "a model without one");
}

/**
 * The number of tokens of each text, at most `maxLength` if it is given. The tokenizer pauses for the event loop. Rejects
 * with ERR_LIMIT for too many texts, and for one of too many tokens.
 */
export async function countTexts(
  model: WithTokenizer,
  texts: readonly string[],
  limits: Limits,
  name: string,
  maxLength?: number,
): Promise<readonly number[]> {
  checkRows(texts.length, name, limits);
  const tokenizer = tokenizerOf(model);
  const counts: number[] = [];
  for (const [index, text] of texts.entries()) {
    const options = maxLength === undefined ? {} : { maxLength };
    const { inputIds } = await tokenizer.encodeBatchAsync([text], options);
    checkLength(inputIds.length, `${name}[${index}]`, limits);
    counts.push(inputIds.length);
  }
  return counts;
}

export const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);

/** Bytes of a number of a tensor. */
const NUMBER_BYTES = 4;
/** A number in JSON counts as this many in binary, as it has about as many characters as four have bytes. */
const JSON_FACTOR = 4;

/** Throws ERR_LIMIT for an answer of more numbers than `limits.outputBytes` has space for. */
export function checkOutput(numbers: number, { outputBytes }: Limits, isJson = false): void {
  const bytes = numbers * NUMBER_BYTES * (isJson ? JSON_FACTOR : 1);
  if (bytes <= outputBytes) return;
  throw expected(`at most ${outputBytes} bytes`, isJson ? "the answer in JSON" : "the answer", bytes, "ERR_LIMIT");
}
