// What T5Tokenizer needs of a tokenization: texts to ids and back, one at a time, nothing checked.

/** A tokenization of T5's kind: one sequence, closed by the end-of-sequence id. */
export interface Codec {
  readonly padTokenId: number;
  readonly eosTokenId: number;
  /** How long a word without white space may be, in UTF-16 units. */
  readonly longestWord: number;
  /** The ids of a text, the end-of-sequence id last. */
  encode(text: string): readonly number[];
  /** The text of ids; those that stand for nothing are left out. */
  decode(ids: readonly number[], skipSpecialTokens: boolean): string;
  /** The token of an id, or undefined where the vocabulary has none. */
  token(id: number): string | undefined;
}
