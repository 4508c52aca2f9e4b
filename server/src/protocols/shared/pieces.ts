// Tokens by the names of their pieces.
import type { T5ForConditionalGeneration } from "torch-t5";

/**
 * The text of a piece, with a space where a word begins. The decoded text of a single token has none, so that two pieces
 * could have the same.
 */
export function pieceOf({ tokenizer }: T5ForConditionalGeneration, id: number): string {
  return tokenizer?.idToToken(id)?.replaceAll("▁", " ") ?? String(id);
}

/** A token of a text. */
export interface NamedToken {
  readonly id: number;
  /** Its piece, with a space where a word begins. */
  readonly piece: string;
}

export function namedTokens(t5: T5ForConditionalGeneration, ids: Iterable<number>): readonly NamedToken[] {
  return Array.from(ids, (id) => ({ id, piece: pieceOf(t5, id) }));
}
