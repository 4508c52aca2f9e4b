// The public tokenizer: texts to ids, padded batches of them, and ids back to text, as Hugging Face's tokenizers.
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { types } from "node:util";
import { T5Error } from "../util/errors.js";
import { checkObject, parseJson } from "../util/json.js";
import { finish, runSliced, SLICED_UNITS, type Sliced } from "../util/slices.js";
import { checkFlag, checkInteger, checkOptions, expected, INT32_MAX, readPath } from "../util/validation.js";
import type { BackendDecodeOptions, TokenizerBackend } from "./backend.js";
import { byteBackend } from "./byte-backend.js";
import { CleanUpStream, DecodeStream } from "./decode-stream.js";
import { type IdRow, type PaddedBatch, padRows } from "./padded-batch.js";
import type { Tokens } from "./pre-tokenized-string.js";
import { unigramBackend } from "./unigram-backend.js";

/** One encoded text. */
export interface Encoding {
  /** Token ids. The last is the end-of-sequence id. */
  readonly ids: Int32Array;
  /**
   * The range of the text that each id stands for, in UTF-16 units as `slice` counts them: `[ids.length, 2]`, start and
   * end. Both are 0 for an id that the tokenizer adds, such as the end-of-sequence id.
   */
  readonly offsets: Int32Array;
}

/** Encoded texts, padded on the right. `forward` accepts it as its source. */
export interface BatchEncoding {
  /** `[batch, length]` in row-major order. */
  readonly inputIds: Int32Array;
  /** 1 at ids, 0 at padding, `[batch, length]`. */
  readonly attentionMask: Int32Array;
  readonly shape: readonly [batch: number, length: number];
}

/** The options of `encode`. */
export interface EncodeOptions {
  /** Longer texts are truncated to this many ids, of which the last is still the end-of-sequence id. */
  readonly maxLength?: number | undefined;
}

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

/** The ids of a text, and what its offsets are made of. */
interface Encoded {
  readonly ids: Int32Array;
  /** The next text overwrites them. */
  readonly tokens: Tokens;
  /** The number of ids before those of the text. */
  readonly prefixLength: number;
  /** The number of ids of the text. */
  readonly count: number;
}

/** The work that each text takes beside its characters, as a number of characters. */
const TEXT_UNITS = 16;

/** The ids whose texts are made between two interruptions. */
const SLICED_IDS = 64;

/** A model's tokenizer, with the results of Rust's tokenizers, or of transformers' ByT5Tokenizer for ByT5. */
export class T5Tokenizer {
  readonly #backend: TokenizerBackend;

  private constructor(backend: TokenizerBackend) {
    this.#backend = backend;
  }

  /**
   * Reads tokenizer.json and tokenizer_config.json of a directory; ByT5 has only the second. Rejects with
   * ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND if there is no tokenizer, and ERR_MODEL_CORRUPT if its files are invalid
   * or need a part that isn't implemented exactly.
   */
  static async fromPretrained(directory: string | URL): Promise<T5Tokenizer> {
    const path = readPath(directory, "directory");
    const tokenizer = await T5Tokenizer.find(path);
    if (tokenizer !== undefined) return tokenizer;
    const isBare = await access(join(path, "spiece.model")).then(
      () => true,
      () => false,
    );
    const found = isBare ? "only a spiece.model, which `torch-t5 export` converts," : "none";
    const message = `Expected a directory with a tokenizer.json for the tokenizer but found ${found} in ${JSON.stringify(path)}`;
    throw new T5Error("ERR_MODEL_NOT_FOUND", message);
  }

  /** The tokenizer of a directory, or undefined if there is none. @internal */
  static async find(path: string): Promise<T5Tokenizer | undefined> {
    const read = async (name: string) => {
      // Decoded in one piece: with 17 MB this takes half the time of readFile's own decoding, chunk by chunk.
      const bytes = await readFile(join(path, name)).catch(() => undefined);
      return bytes === undefined ? undefined : checkObject(parseJson(bytes.toString("utf8"), name), name);
    };
    const [tokenizer, config = {}] = await Promise.all([read("tokenizer.json"), read("tokenizer_config.json")]);
    if (tokenizer !== undefined) return new T5Tokenizer(unigramBackend(tokenizer, config));
    return config.tokenizer_class === "ByT5Tokenizer" ? new T5Tokenizer(byteBackend(config)) : undefined;
  }

  /** The id that fills rows of a batch. */
  get padTokenId(): number {
    return this.#backend.padTokenId;
  }

  /** The end-of-sequence id. */
  get eosTokenId(): number {
    return this.#backend.eosTokenId;
  }

  /**
   * The ids of a text and the end-of-sequence id, which is the only one for an empty text. Half of a surrogate pair
   * counts as U+FFFD. Throws ERR_INVALID_ARGUMENT.
   */
  encode(text: string, options?: EncodeOptions): Encoding {
    const { ids, tokens, prefixLength, count } = finish(
      this.#encode(text, "text", checkEncodeOptions(options, ["maxLength"])),
    );
    const offsets = new Int32Array(2 * ids.length);
    offsets.set(tokens.offsets.subarray(0, 2 * count), 2 * prefixLength);
    return { ids, offsets };
  }

  /** The ids of texts, padded on the right to the longest one, and their mask. Throws ERR_INVALID_ARGUMENT. */
  encodeBatch(texts: readonly string[], options?: EncodeBatchOptions): BatchEncoding {
    return batchOf(finish(this.encodePadded(copyTexts(texts, "texts"), { name: "texts" }, checkBatchOptions(options))));
  }

  /**
   * `encodeBatch` that yields to the event loop every few milliseconds, between two texts and within a long one.
   * Rejects with ERR_INVALID_ARGUMENT.
   */
  async encodeBatchAsync(texts: readonly string[], options?: EncodeBatchOptions): Promise<BatchEncoding> {
    const checked = checkBatchOptions(options);
    return batchOf(await runSliced(this.encodePadded(copyTexts(texts, "texts"), { name: "texts" }, checked)));
  }

  /** The number of ids that `encode` gives for a text. Throws ERR_INVALID_ARGUMENT. */
  countTokens(text: string): number {
    const { ids } = finish(this.#tokensOf(text, "text"));
    const { prefix, suffix } = this.#backend.template(ids);
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

  /** The padded batch of texts, which errors name from `name[first]` on. @internal */
  *encodePadded(
    texts: readonly string[],
    { name, first = 0 }: { readonly name: string; readonly first?: number | undefined },
    options: EncodeBatchOptions,
  ): Sliced<PaddedBatch> {
    const rows: Int32Array[] = [];
    let work = 0;
    for (const [index, text] of texts.entries()) {
      if (work >= SLICED_UNITS) {
        work = 0;
        yield;
      }
      work += TEXT_UNITS + text.length;
      rows.push((yield* this.#encode(text, `${name}[${first + index}]`, options)).ids);
    }
    return yield* padRows(rows, this.#backend.padTokenId, options.padToMultipleOf);
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

  *#encode(text: string, name: string, { maxLength }: EncodeOptions): Sliced<Encoded> {
    const tokens = yield* this.#tokensOf(text, name);
    const { length } = tokens.ids;
    const count =
      maxLength === undefined ? length : Math.min(length, Math.max(0, maxLength - this.#backend.maxTemplateIds));
    const textIds = count === length ? tokens.ids : tokens.ids.subarray(0, count);
    const { prefix, suffix } = this.#backend.template(textIds);
    const ids = new Int32Array(prefix.length + count + suffix.length);
    ids.set(prefix);
    ids.set(textIds, prefix.length);
    ids.set(suffix, prefix.length + count);
    return { ids, tokens, prefixLength: prefix.length, count };
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

function batchOf({ batch, length, inputIds, attentionMask }: PaddedBatch): BatchEncoding {
  return { inputIds, attentionMask: attentionMask ?? new Int32Array(inputIds.length).fill(1), shape: [batch, length] };
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

function checkBatchOptions(options: unknown): EncodeBatchOptions {
  return checkEncodeOptions(options, ["maxLength", "padToMultipleOf"]);
}

function checkEncodeOptions(options: unknown, known: readonly string[]): EncodeBatchOptions {
  const { maxLength, padToMultipleOf } = checkOptions(options, "options", known);
  const check = (value: unknown, name: string) => (value === undefined ? undefined : checkInteger(value, name, 1));
  return {
    maxLength: check(maxLength, "options.maxLength"),
    padToMultipleOf: check(padToMultipleOf, "options.padToMultipleOf"),
  };
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
