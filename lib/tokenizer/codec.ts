// What T5Tokenizer needs of a tokenization: texts to ids and back, one at a time, nothing checked.

/** The tokens of a text, without those that the template adds. */
export interface Tokens {
  readonly ids: Int32Array;
  /** The part of the text that each id stands for, in UTF-16 units: two numbers an id, start and end. */
  readonly offsets: Int32Array;
}

/** Text that grows id by id: pieces that join to the text of all ids, none of which ends within a character. */
export interface TextStream {
  /** The text that is certain with this id, and wasn't before. */
  push(id: number): string;
  /** The rest. */
  end(): string;
}

export interface DecodingOptions {
  readonly skipSpecialTokens: boolean;
  readonly cleanUp: boolean;
}

/** A tokenization of T5's kind. */
export interface Codec {
  readonly padTokenId: number;
  readonly eosTokenId: number;
  /** Whether decoding cleans up spaces where the caller doesn't say. */
  readonly cleansUp: boolean;
  /** As many ids as the template adds at most. A text is cut as if it always did, as in Hugging Face. */
  readonly mostAdded: number;
  /** What is put before and behind a text of these ids: the end-of-sequence id, for instance. */
  template(ids: Int32Array): Template;
  /** The tokens of a text. Views: the next text overwrites them. */
  encode(text: string): Tokens;
  /** The text of ids; those that stand for nothing are left out. */
  decode(ids: readonly number[], options: DecodingOptions): string;
  /** A decoder of ids that come one by one; it doesn't clean up. */
  stream(skipSpecialTokens: boolean): TextStream;
  /** The bytes of UTF-8 that an id adds within a text; none for an id without a token. */
  bytes(id: number): Uint8Array;
  /** The token of an id, or undefined where the vocabulary has none. */
  token(id: number): string | undefined;
  /** The id of a token, or undefined where the vocabulary has none. */
  id(token: string): number | undefined;
}

/** Ids before and behind a text. */
export interface Template {
  readonly before: readonly number[];
  readonly behind: readonly number[];
}
