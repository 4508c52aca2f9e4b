// The public tokenizer: texts to ids, padded batches of them, and ids back to text, as Hugging Face's tokenizers.
import { types } from "node:util";
import { locateModel } from "../hub/locate.js";
import { checkHubOptions, HUB_OPTIONS, type HubOptions } from "../hub/options.js";
import { selectTokenizer } from "../hub/selection.js";
import { captureCallSite, T5Error } from "../util/errors.js";
import { finish, runSliced, SLICED_UNITS, type Sliced } from "../util/slices.js";
import { checkFlag, checkInteger, checkOptions, expected, INT32_MAX, readPath } from "../util/validation.js";
import type { BackendDecodeOptions, TokenizerBackend } from "./backend.js";
import { CleanUpStream, DecodeStream } from "./decode-stream.js";
import { type IdRow, type PaddedBatch, padRows } from "./padded-batch.js";
import { EMPTY_TEMPLATE } from "./post-processor.js";
import type { Tokens } from "./pre-tokenized-string.js";
import { findTokenizer } from "./tokenizer-directory.js";
import { readMaxLength, TRUNCATION_OPTIONS, type TruncationOptions, type TruncationSettings } from "./truncation.js";

/** One encoded text. */
export interface Encoding {
  /** Token ids. The last is the end-of-sequence id, unless `addSpecialTokens` is false. */
  readonly ids: Int32Array;
  /**
   * The range of the text that each id stands for, in UTF-16 units as `slice` counts them: `[ids.length, 2]`, start and
   * end. Both are 0 for an id that the tokenizer adds, such as the end-of-sequence id.
   */
  readonly offsets: Int32Array;
  /** Whether the text was truncated; absent unless `maxLength` or `truncation` is given. */
  readonly truncated?: boolean;
}

/** One encoded text, and which of its ids are the text's own: those from `first` up to but not including `last`. */
export interface TextEncoding extends Encoding {
  readonly first: number;
  readonly last: number;
}

/** Encoded texts, padded on the right. `forward` accepts it as its source. */
export interface BatchEncoding {
  /** `[batch, length]` in row-major order. */
  readonly inputIds: Int32Array;
  /** 1 at ids, 0 at padding, `[batch, length]`. */
  readonly attentionMask: Int32Array;
  readonly shape: readonly [batch: number, length: number];
  /** Whether each text was truncated; absent unless `maxLength` or `truncation` is given. */
  readonly truncated?: readonly boolean[];
}

/** The option of everything that turns texts into ids. */
export interface SpecialTokensOption {
  /**
   * Add the ids of the tokenizer's template, for T5 the end-of-sequence id. False for ids that a generation continues
   * or avoids, such as those of `badWordsIds`. Default: true, as in Hugging Face.
   */
  readonly addSpecialTokens?: boolean | undefined;
}

/** The options of `encode`. */
export interface EncodeOptions extends TruncationOptions, SpecialTokensOption {}

/** The options of `encodeBatch` and `encodeBatchAsync`. */
export interface EncodeBatchOptions extends EncodeOptions {
  /** The length of the batch is a multiple of this. */
  readonly padToMultipleOf?: number | undefined;
}

/** The options of `decode`, `batchDecode` and `decodeStream`. */
export interface DecodeOptions {
  /** Leave out special tokens such as `<pad>` and `</s>`. Default: false, as in Hugging Face. */
  readonly skipSpecialTokens?: boolean | undefined;
  /** Remove spaces before punctuation. Default: the value in tokenizer_config.json, or false. */
  readonly cleanUpTokenizationSpaces?: boolean | undefined;
}

/** Checked options. */
export interface EncodingSettings {
  /** The maximum number of ids of a text; undefined: nothing is truncated. */
  readonly maxLength?: number | undefined;
  readonly padToMultipleOf?: number | undefined;
  readonly addSpecialTokens: boolean;
}

/** The ids of a text, and what its offsets are made of. */
interface Encoded {
  readonly ids: Int32Array;
  /** The next text overwrites them. */
  readonly tokens: Tokens;
  /** The range of `tokens` that is kept. */
  readonly start: number;
  readonly end: number;
  /** The number of ids before those of the text. */
  readonly prefixLength: number;
  readonly isTruncated: boolean;
}

const ENCODE_OPTIONS = [...TRUNCATION_OPTIONS, "addSpecialTokens"] as const;
const BATCH_OPTIONS = [...ENCODE_OPTIONS, "padToMultipleOf"] as const;

/** The work that each text takes beside its characters, as a number of characters. */
const TEXT_UNITS = 16;

/** The ids whose texts are made between two interruptions. */
const SLICED_IDS = 64;

/** A model's tokenizer, with the results of Rust's tokenizers, or of transformers' ByT5Tokenizer for ByT5. */
export class T5Tokenizer {
  readonly #backend: TokenizerBackend;
  readonly #truncation: TruncationSettings;

  private constructor(backend: TokenizerBackend, truncation: TruncationSettings) {
    this.#backend = backend;
    this.#truncation = truncation;
  }

  /**
   * Reads the tokenizer of a directory, or of a model on the hub, whose tokenizer is downloaded unless the cache has it,
   * with the results of transformers' `AutoTokenizer`: tokenizer.json, or else spiece.model, and tokenizer_config.json;
   * ByT5 has only the last. Rejects with ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND if there is no tokenizer, and
   * ERR_MODEL_CORRUPT if its files are invalid or need a part that isn't implemented exactly; of a name also with
   * ERR_MODEL_ACCESS_DENIED, ERR_DOWNLOAD_FAILED, the signal's reason, and what `progress` throws.
   */
  static async fromPretrained(directory: string | URL, options?: HubOptions): Promise<T5Tokenizer> {
    const site = captureCallSite(T5Tokenizer.fromPretrained);
    const given = readPath(directory, "directory");
    const hub = checkHubOptions(checkOptions(options, "options", HUB_OPTIONS));
    const path = await locateModel(given, hub, selectTokenizer, site);
    const tokenizer = await T5Tokenizer.find(path);
    if (tokenizer !== undefined) return tokenizer;
    const what = "a directory with a tokenizer.json, a spiece.model or ByT5's tokenizer_config.json";
    const message = `Expected ${what} for the tokenizer but found none in ${JSON.stringify(path)}`;
    throw new T5Error("ERR_MODEL_NOT_FOUND", message);
  }

  /** The tokenizer of a directory, or undefined if there is none. @internal */
  static async find(path: string): Promise<T5Tokenizer | undefined> {
    const found = await findTokenizer(path);
    return found && new T5Tokenizer(found.backend, found.truncation);
  }

  /** The id that fills rows of a batch. */
  get padTokenId(): number {
    return this.#backend.padTokenId;
  }

  /** The end-of-sequence id. */
  get eosTokenId(): number {
    return this.#backend.eosTokenId;
  }

  /** The number of ids that `truncation` truncates to: Hugging Face's `model_max_length`. Undefined: none is set. */
  get modelMaxLength(): number | undefined {
    return this.#truncation.modelMaxLength;
  }

  /**
   * The ids of a text and the end-of-sequence id, which is the only one for an empty text. Half of a surrogate pair
   * counts as U+FFFD. Throws ERR_INVALID_ARGUMENT.
   */
  encode(text: string, options?: EncodeOptions): Encoding {
    return finish(this.encodeSliced(text, "text", this.#checkEncodeOptions(options, ENCODE_OPTIONS)));
  }

  /** The ids of texts, padded on the right to the longest one, and their mask. Throws ERR_INVALID_ARGUMENT. */
  encodeBatch(texts: readonly string[], options?: EncodeBatchOptions): BatchEncoding {
    const settings = this.#checkEncodeOptions(options, BATCH_OPTIONS);
    return batchOf(finish(this.encodePadded(copyTexts(texts, "texts"), { name: "texts" }, settings)));
  }

  /**
   * `encodeBatch` that yields to the event loop every few milliseconds, between two texts and within a long one.
   * Rejects with ERR_INVALID_ARGUMENT.
   */
  async encodeBatchAsync(texts: readonly string[], options?: EncodeBatchOptions): Promise<BatchEncoding> {
    const settings = this.#checkEncodeOptions(options, BATCH_OPTIONS);
    return batchOf(await runSliced(this.encodePadded(copyTexts(texts, "texts"), { name: "texts" }, settings)));
  }

  /** The number of ids that `encode` gives for a text. Throws ERR_INVALID_ARGUMENT. */
  countTokens(text: string, options?: SpecialTokensOption): number {
    const { addSpecialTokens } = this.#checkEncodeOptions(options, ["addSpecialTokens"]);
    const { ids } = finish(this.#tokensOf(text, "text"));
    const { prefix, suffix } = addSpecialTokens ? this.#backend.template(ids) : EMPTY_TEMPLATE;
    return prefix.length + ids.length + suffix.length;
  }

  /** The text of ids. Ids without a token are left out, as in Hugging Face. Throws ERR_INVALID_ARGUMENT. */
  decode(ids: IdRow, options?: DecodeOptions): string {
    return this.#backend.decode(checkIds(ids, "ids"), this.#checkDecodeOptions(options));
  }

  /** The texts of several rows of ids. Throws ERR_INVALID_ARGUMENT. */
  batchDecode(rows: readonly IdRow[], options?: DecodeOptions): readonly string[] {
    if (!Array.isArray(rows)) throw expected("an array of rows of ids", "rows", rows);
    return Array.from(rows, (row: IdRow) => this.decode(row, options));
  }

  /** The token of an id, for instance "▁the", or undefined if there is none. Throws ERR_INVALID_ARGUMENT. */
  idToToken(id: number): string | undefined {
    return this.#backend.idToToken(checkInteger(id, "id", 0));
  }

  /** The id of a token, or undefined if there is none. Throws ERR_INVALID_ARGUMENT. */
  tokenToId(token: string): number | undefined {
    if (typeof token !== "string") throw expected("a string", "token", token);
    return this.#backend.tokenToId(token);
  }

  /**
   * A decoder of ids that come one by one, as from a model that generates. Joined, its pieces are the text that
   * `decode` returns for all ids. None ends within a character. Throws ERR_INVALID_ARGUMENT.
   */
  decodeStream(options?: DecodeOptions): DecodeStream {
    const { skipSpecialTokens, cleanUpTokenizationSpaces } = this.#checkDecodeOptions(options);
    const stream = this.#backend.decodeStream(skipSpecialTokens);
    return new DecodeStream(cleanUpTokenizationSpaces ? new CleanUpStream(stream) : stream);
  }

  /** The maximum number of ids that `withSpecialTokens` adds. @internal */
  get specialTokenCount(): number {
    return this.#backend.maxTemplateIds;
  }

  /** The ids of a text with those that `encode` adds. @internal */
  withSpecialTokens(ids: Int32Array): Int32Array {
    const { prefix, suffix } = this.#backend.template(ids);
    return Int32Array.from([...prefix, ...ids, ...suffix]);
  }

  /**
   * The bytes of UTF-8 that each id below `count` adds within a text. Those of an id begin at `offsets[id]` and end at
   * `offsets[id + 1]`. @internal
   */
  *tokenTexts(count: number): Sliced<{ readonly bytes: Uint8Array; readonly offsets: Int32Array }> {
    const texts: Uint8Array[] = [];
    const offsets = new Int32Array(count + 1);
    for (let id = 0; id < count; id++) {
      const text = this.#backend.tokenBytes(id);
      texts.push(text);
      offsets[id + 1] = (offsets[id] ?? 0) + text.length;
      if (id % SLICED_IDS === 0) yield;
    }
    const bytes = new Uint8Array(offsets[count] ?? 0);
    for (const [id, text] of texts.entries()) {
      bytes.set(text, offsets[id] ?? 0);
      if (id % SLICED_IDS === 0) yield;
    }
    return { bytes, offsets };
  }

  /** The encoding of a whole text in time slices. `name` names the text in errors. @internal */
  *encodeText(text: string, name: string): Sliced<TextEncoding> {
    const { ids, tokens, start, end, prefixLength } = yield* this.#encode(text, name, { addSpecialTokens: true });
    const offsets = new Int32Array(2 * ids.length);
    offsets.set(tokens.offsets.subarray(2 * start, 2 * end), 2 * prefixLength);
    return { ids, offsets, first: prefixLength, last: prefixLength + end - start };
  }

  /** The id of text that is in no other token; undefined if the tokenizer has none. @internal */
  get unkTokenId(): number | undefined {
    return this.#backend.unkTokenId;
  }

  /** The text of tokens, special ones included: Hugging Face's `convert_tokens_to_string`. @internal */
  tokensToText(tokens: readonly string[]): string {
    return this.#backend.tokensToText(tokens);
  }

  /** `encode` in time slices. `name` names the text in errors. @internal */
  *encodeSliced(text: string, name: string, settings: EncodingSettings): Sliced<Encoding> {
    const { ids, tokens, start, end, prefixLength, isTruncated } = yield* this.#encode(text, name, settings);
    const offsets = new Int32Array(2 * ids.length);
    offsets.set(tokens.offsets.subarray(2 * start, 2 * end), 2 * prefixLength);
    return { ids, offsets, ...(settings.maxLength !== undefined && { truncated: isTruncated }) };
  }

  /** The padded batch of texts, which errors name from `name[first]` on. @internal */
  *encodePadded(
    texts: readonly string[],
    { name, first = 0 }: { readonly name: string; readonly first?: number | undefined },
    settings: EncodingSettings,
  ): Sliced<PaddedBatch> {
    const rows: Int32Array[] = [];
    const truncated: boolean[] = [];
    let work = 0;
    for (const [index, text] of texts.entries()) {
      if (work >= SLICED_UNITS) {
        work = 0;
        yield;
      }
      work += TEXT_UNITS + text.length;
      const { ids, isTruncated } = yield* this.#encode(text, `${name}[${first + index}]`, settings);
      rows.push(ids);
      truncated.push(isTruncated);
    }
    const padded = yield* padRows(rows, this.#backend.padTokenId, settings.padToMultipleOf);
    return settings.maxLength === undefined ? padded : { ...padded, truncated };
  }

  #checkEncodeOptions(options: unknown, known: readonly string[]): EncodingSettings {
    const { padToMultipleOf, addSpecialTokens = true, ...given } = checkOptions(options, "options", known);
    return {
      maxLength: readMaxLength(given, "options.", this.#truncation),
      padToMultipleOf:
        padToMultipleOf === undefined ? undefined : checkInteger(padToMultipleOf, "options.padToMultipleOf", 1),
      addSpecialTokens: checkFlag(addSpecialTokens, "options.addSpecialTokens"),
    };
  }

  #checkDecodeOptions(options: unknown): BackendDecodeOptions {
    const known = ["skipSpecialTokens", "cleanUpTokenizationSpaces"];
    const { skipSpecialTokens, cleanUpTokenizationSpaces: cleanUp } = checkOptions(options, "options", known);
    return {
      skipSpecialTokens: checkFlag(skipSpecialTokens, "options.skipSpecialTokens"),
      cleanUpTokenizationSpaces:
        cleanUp === undefined
          ? this.#backend.cleanUpTokenizationSpaces
          : checkFlag(cleanUp, "options.cleanUpTokenizationSpaces"),
    };
  }

  *#encode(text: string, name: string, { maxLength, addSpecialTokens }: EncodingSettings): Sliced<Encoded> {
    const tokens = yield* this.#tokensOf(text, name);
    const { length } = tokens.ids;
    const added = addSpecialTokens ? this.#backend.maxTemplateIds : 0;
    const count = maxLength === undefined ? length : Math.min(length, Math.max(0, maxLength - added));
    const start = this.#truncation.side === "left" ? length - count : 0;
    const end = start + count;
    const textIds = tokens.ids.subarray(start, end);
    const { prefix, suffix } = addSpecialTokens ? this.#backend.template(textIds) : EMPTY_TEMPLATE;
    const ids = new Int32Array(prefix.length + count + suffix.length);
    ids.set(prefix);
    ids.set(textIds, prefix.length);
    ids.set(suffix, prefix.length + count);
    return { ids, tokens, start, end, prefixLength: prefix.length, isTruncated: count < length };
  }

  *#tokensOf(text: string, name: string): Sliced<Tokens> {
    if (typeof text !== "string") throw expected("a string", name, text);
    try {
      return yield* this.#backend.encode(text);
    } catch (cause) {
      const { code, message } = expected("a text that the tokenizer can take", name, text);
      throw new T5Error(code, message, { cause });
    }
  }
}

function batchOf({ batch, length, inputIds, attentionMask, truncated }: PaddedBatch): BatchEncoding {
  return {
    inputIds,
    attentionMask: attentionMask ?? new Int32Array(inputIds.length).fill(1),
    shape: [batch, length],
    ...(truncated && { truncated }),
  };
}

/** Copies an array of texts. Throws ERR_INVALID_ARGUMENT. */
export function copyTexts(texts: unknown, name: string): readonly string[] {
  if (!Array.isArray(texts)) throw expected("an array of strings", name, texts);
  if (texts.length === 0) throw expected("at least one text", name, texts);
  // Array.from replaces holes by undefined, which is refused as any other value.
  return Array.from(texts, (text: unknown, index) => {
    if (typeof text !== "string") throw expected("a string", `${name}[${index}]`, text);
    return text;
  });
}

function checkIds(ids: unknown, name: string): readonly number[] {
  if (!(Array.isArray(ids) || types.isInt32Array(ids) || types.isBigInt64Array(ids))) {
    throw expected("an array of ids", name, ids);
  }
  return Array.from(ids, (id: unknown, index) => checkId(id, name, index));
}

function checkId(id: unknown, name: string, index: number): number {
  const number = typeof id === "bigint" ? Number(id) : id;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= INT32_MAX) return number;
  return checkInteger(number, `${name}[${index}]`, 0);
}
