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
  /** How many UTF-16 units at the end of a decoded text further ids may still change. */
  readonly changingTail: number;
  /** Whether the text of an id depends on the ids beside it: a byte of a character, say. */
  isOpen(id: number): boolean;
  /** The bytes of UTF-8 that an id adds within a text; none for an id without a token. */
  bytes(id: number): Uint8Array;
  /** The token of an id, or undefined where the vocabulary has none. */
  token(id: number): string | undefined;
}
