// Truncation on demand: to the maximum length of the model, or to the limit of the server.
import type { WithTokenizer } from "../../calls/call.js";
import type { Limits } from "../../config/schema.js";

/** The maximum number of tokens of a text, or undefined: a longer text is refused. */
export function truncationOf(
  { tokenizer }: WithTokenizer,
  truncate: boolean | null | undefined,
  { tokens }: Limits,
): number | undefined {
  return truncate === true ? Math.min(tokens, tokenizer?.modelMaxLength ?? tokens) : undefined;
}
