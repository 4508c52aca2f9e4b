// What T5Tokenizer is built on: one text to tokens and back, without checks of arguments.
import type { Sliced } from "../util/slices.js";
import type { TextStream } from "./decode-stream.js";
import type { Template } from "./post-processor.js";
import type { Tokens } from "./pre-tokenized-string.js";

export interface BackendDecodeOptions {
  readonly skipSpecialTokens: boolean;
  readonly cleanUpTokenizationSpaces: boolean;
}

/** A tokenizer of T5's family: Unigram of a tokenizer.json, or the bytes of ByT5. */
export interface TokenizerBackend {
  readonly padTokenId: number;
  readonly eosTokenId: number;
  /** The id of text that is in no other token; undefined if there is none. */
  readonly unkTokenId: number | undefined;
  /** Whether decoding cleans up spaces by default. */
  readonly cleanUpTokenizationSpaces: boolean;
  /** The maximum length of a template. Truncation leaves room for it, even if a text's template is shorter. */
  readonly maxTemplateIds: number;
  /** The ids to add before and after those of a text. */
  template(ids: Int32Array): Template;
  /** The tokens of a text. The next call overwrites the arrays. */
  encode(text: string): Sliced<Tokens>;
  /** The text of ids. Ids without a token are left out. */
  decode(ids: readonly number[], options: BackendDecodeOptions): string;
  /** The text of tokens. */
  tokensToText(tokens: readonly string[]): string;
  /** A stream of the text of ids, which isn't cleaned up. */
  decodeStream(skipSpecialTokens: boolean): TextStream;
  /** The bytes of UTF-8 that an id adds within a text; none for an id without a token. */
  tokenBytes(id: number): Uint8Array;
  /** The token of an id, or undefined if there is none. */
  idToToken(id: number): string | undefined;
  /** The id of a token, or undefined if there is none. */
  tokenToId(token: string): number | undefined;
}
