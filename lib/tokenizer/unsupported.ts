// A tokenizer whose files are whole, and state what torch-t5 can't carry out exactly. Its model is loaded for ids.
import { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";

/** The ERR_MODEL_CORRUPT of such a tokenizer. */
export class UnsupportedTokenizerError extends T5Error {}

/** The error for a setting of a file. */
export function unsupported(what: string, name: string, received: unknown): UnsupportedTokenizerError {
  return new UnsupportedTokenizerError("ERR_MODEL_CORRUPT", corrupt(what, name, received).message);
}
