// The flags that truncate texts, and the note that says that they did.
import type { T5Tokenizer, TruncationOptions } from "../../index.js";
import { integerOption } from "./arguments.js";
import { UsageError } from "./command.js";
import { printError } from "./output.js";

/** The flags, for `parse`. */
export const truncationOptions = {
  "max-length": { type: "string" },
  truncation: { type: "boolean" },
} as const;

/** The lines of the flags in a command's help. */
export function truncationHelp(what: string): string {
  return `  --max-length <count>  truncate ${what} to this many tokens, the end of sequence included
  --truncation          truncate ${what} to the model_max_length of the tokenizer`;
}

/** The field of a result that states whether its text was truncated. */
export const TRUNCATED = "truncated";

/** Whether texts are to be truncated, so that results have the field `TRUNCATED`. */
export function isTruncating({ maxLength, truncation = false }: TruncationOptions): boolean {
  return maxLength !== undefined || truncation;
}

/** The truncation that a command line asks for. Throws UsageError. */
export function readTruncation(
  length: string | undefined,
  truncation: boolean | undefined,
  flag = "max-length",
): TruncationOptions {
  const maxLength = integerOption(length, flag, 1);
  if (maxLength !== undefined && truncation === false) {
    throw new UsageError(`Expected --${flag} or --no-truncation but received both`);
  }
  return { ...(maxLength !== undefined && { maxLength }), ...(truncation && { truncation }) };
}

/** Throws UsageError where the length to truncate to is that of the tokenizer, which has none. */
export function checkTruncation(
  { tokenizer }: { readonly tokenizer: T5Tokenizer | undefined },
  { maxLength, truncation }: TruncationOptions,
): void {
  if (!truncation || maxLength !== undefined || tokenizer?.modelMaxLength !== undefined) return;
  throw new UsageError(
    "Expected a model whose tokenizer has a model_max_length for --truncation but received one without",
  );
}

/** Counts truncated texts, for a command whose output has no place to say which. */
export class TruncationNote {
  #truncated = 0;
  #texts = 0;

  /** Counts the texts of a call, which states what it truncated, if it was to truncate. */
  add(texts: number, truncated: readonly boolean[] = []): void {
    this.#texts += texts;
    this.#truncated += truncated.filter(Boolean).length;
  }

  /** Prints how many texts were truncated, if any, to standard error. */
  print(): void {
    if (this.#truncated > 0) printError(`torch-t5: truncated ${this.#truncated} of ${this.#texts} texts`);
  }
}
