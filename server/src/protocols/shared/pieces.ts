// Tokens by the names of their pieces.
import type { T5ForConditionalGeneration } from "torch-t5";

/**
 * The text of a piece, with a space where a word begins. The decoded text of a single token has none, so that two pieces
 * could have the same.
 */
export function pieceOf({ tokenizer }: T5ForConditionalGeneration, id: number): string {
  return tokenizer?.idToToken(id)?.replaceAll("▁", " ") ?? String(id);
}
