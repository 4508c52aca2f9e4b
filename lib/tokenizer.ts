// The public tokenizer: texts to ids as Hugging Face gives them, padded batches, and back.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { types } from "node:util";
import { type PaddedBatch, padRows } from "./batch.js";
import { byteCodec } from "./byte-codec.js";
import type { Codec } from "./codec.js";
import { checkObject, parseJson } from "./config.js";
import { directoryPath } from "./directory.js";
import { T5Error } from "./errors.js";
import type { IdRow } from "./ids.js";
import { subwordCodec } from "./subword-codec.js";
import { checkFlag, checkInteger, checkOptions, expected } from "./validation.js";

/** Far beyond what a model can attend to; a bound on time and memory all the same. */
const LONGEST_TEXT = 2 ** 20;
const WHITE_SPACE = /\s+/;

/** One encoded text. */
export interface Encoding {
  /** Token ids, the end-of-sequence id last. */
  readonly ids: Int32Array;
}

/** Encoded texts, padded on the right; `forward` takes it as it is. */
export interface BatchEncoding {
  /** `[batch, length]` in row-major order. */
  readonly inputIds: Int32Array;
  /** 1 at ids, 0 at padding, `[batch, length]`. */
  readonly attentionMask: Int32Array;
  readonly shape: readonly [batch: number, length: number];
}

export interface EncodeOptions {
  /** Longer texts are cut to this many ids; the last one is the end-of-sequence id even so. */
  readonly maxLength?: number | undefined;
}

export interface DecodeOptions {
  /** Leave out `<pad>`, `</s>` and the like. Default: false, as in Hugging Face. */
  readonly skipSpecialTokens?: boolean | undefined;
}

/** A model's tokenizer: `@huggingface/tokenizers` for subwords, bytes for ByT5. */
export class T5Tokenizer {
  readonly #codec: Codec;

  private constructor(codec: Codec) {
    this.#codec = codec;
  }

  /**
   * Reads tokenizer.json and tokenizer_config.json of a directory (ByT5 has only the second one).
   * Rejects with ERR_MODEL_NOT_FOUND where it has no tokenizer, ERR_MODEL_CORRUPT where it can't be used.
   */
  static async fromPretrained(directory: string | URL): Promise<T5Tokenizer> {
    const path = directoryPath(directory);
    const tokenizer = await T5Tokenizer.find(path);
    if (tokenizer !== undefined) return tokenizer;
    const message = `Expected a directory with a tokenizer.json for the tokenizer but found none in ${JSON.stringify(path)}`;
    throw new T5Error("ERR_MODEL_NOT_FOUND", message);
  }

  /** The tokenizer of a directory, or undefined where it has none. @internal */
  static async find(path: string): Promise<T5Tokenizer | undefined> {
    const read = async (name: string) => {
      const text = await readFile(join(path, name), "utf8").catch(() => undefined);
      return text === undefined ? undefined : checkObject(parseJson(text, name), name);
    };
    const [vocabulary, config = {}] = await Promise.all([read("tokenizer.json"), read("tokenizer_config.json")]);
    if (vocabulary !== undefined) return new T5Tokenizer(subwordCodec(vocabulary, config));
    return config.tokenizer_class === "ByT5Tokenizer" ? new T5Tokenizer(byteCodec) : undefined;
  }

  get padTokenId(): number {
    return this.#codec.padTokenId;
  }

  get eosTokenId(): number {
    return this.#codec.eosTokenId;
  }

  /** The ids of a text, the end-of-sequence id last. An empty text is that id alone. Throws ERR_INVALID_ARGUMENT. */
  encode(text: string, options?: EncodeOptions): Encoding {
    const maxLength = checkEncodeOptions(options);
    return { ids: Int32Array.from(this.#encode(text, "text", maxLength)) };
  }

  /** The ids of texts, padded on the right to the longest, with their mask. Throws ERR_INVALID_ARGUMENT. */
  encodeBatch(texts: readonly string[], options?: EncodeOptions): BatchEncoding {
    const maxLength = checkEncodeOptions(options);
    const { batch, length, data, mask } = this.encodePadded(texts, "texts", maxLength);
    return { inputIds: data, attentionMask: mask ?? new Int32Array(data.length).fill(1), shape: [batch, length] };
  }

  /** The text of ids. Ids that the vocabulary lacks are left out, as in Hugging Face. Throws ERR_INVALID_ARGUMENT. */
  decode(ids: IdRow, options?: DecodeOptions): string {
    const { skipSpecialTokens } = checkOptions(options, "options", ["skipSpecialTokens"]);
    return this.#codec.decode(checkIds(ids, "ids"), checkFlag(skipSpecialTokens, "options.skipSpecialTokens"));
  }

  /** The texts of several rows of ids. Throws ERR_INVALID_ARGUMENT. */
  batchDecode(rows: readonly IdRow[], options?: DecodeOptions): readonly string[] {
    if (!Array.isArray(rows)) throw expected("an array of rows of ids", "rows", rows);
    return Array.from(rows, (row: IdRow) => this.decode(row, options));
  }

  /** The token of an id, for instance "▁the", or undefined where the vocabulary has none. */
  idToToken(id: number): string | undefined {
    return this.#codec.token(checkInteger(id, "id", 0));
  }

  /** How many characters at the end of a decoded text further ids may still change. @internal */
  get changingTail(): number {
    return this.#codec.changingTail;
  }

  /** Whether the text of an id depends on the ids beside it. @internal */
  isOpen(id: number): boolean {
    return this.#codec.isOpen(id);
  }

  /** Whether an id adds nothing to a text without special tokens, whatever stands beside it. @internal */
  isSilent(id: number): boolean {
    if (this.#codec.token(id) === undefined) return true;
    return this.#codec.decode([id], true) !== this.#codec.decode([id], false);
  }

  /** The bytes that each id below `count` adds within a text, and where each id's begin, one more than ids. @internal */
  tokenTexts(count: number): { readonly bytes: Uint8Array; readonly offsets: Int32Array } {
    const texts = Array.from({ length: count }, (_, id) => this.#codec.bytes(id));
    const offsets = new Int32Array(count + 1);
    for (const [id, { length }] of texts.entries()) offsets[id + 1] = (offsets[id] ?? 0) + length;
    const bytes = new Uint8Array(offsets[count] ?? 0);
    for (const [id, text] of texts.entries()) bytes.set(text, offsets[id] ?? 0);
    return { bytes, offsets };
  }

  /** Encodes and pads. @internal */
  encodePadded(texts: unknown, name: string, maxLength?: number): PaddedBatch {
    if (!Array.isArray(texts)) throw expected("an array of strings", name, texts);
    if (texts.length === 0) throw expected("at least one text", name, texts);
    // Array.from visits holes, which map would leave in the rows.
    const rows = Array.from(texts, (text: unknown, index) => this.#encode(text, `${name}[${index}]`, maxLength));
    return padRows(rows, this.#codec.padTokenId);
  }

  #encode(text: unknown, name: string, maxLength: number | undefined): readonly number[] {
    if (typeof text !== "string") throw expected("a string", name, text);
    checkText(text, name, this.#codec.longestWord);
    const ids = this.#tryEncode(text, name);
    if (maxLength === undefined || ids.length <= maxLength) return ids;
    return [...ids.slice(0, maxLength - 1), this.#codec.eosTokenId];
  }

  #tryEncode(text: string, name: string): readonly number[] {
    try {
      return this.#codec.encode(text);
    } catch (cause) {
      const { code, message } = expected("a text that the tokenizer can take", name, text);
      throw new T5Error(code, message, { cause });
    }
  }
}

/** Refuses texts on which tokenization would exhaust the process's memory instead of failing. */
function checkText(text: string, name: string, longestWord: number): void {
  if (text.length > LONGEST_TEXT) throw expected(`at most ${LONGEST_TEXT} characters`, name, text.length);
  if (text.length <= longestWord) return;
  const word = text.split(WHITE_SPACE).find(({ length }) => length > longestWord);
  if (word !== undefined) throw expected(`no word of more than ${longestWord} characters`, name, word);
}

function checkEncodeOptions(options: unknown): number | undefined {
  const { maxLength } = checkOptions(options, "options", ["maxLength"]);
  return maxLength === undefined ? undefined : checkInteger(maxLength, "options.maxLength", 1);
}

function checkIds(ids: unknown, name: string): readonly number[] {
  if (!(Array.isArray(ids) || types.isInt32Array(ids) || types.isBigInt64Array(ids))) {
    throw expected("an array of ids", name, ids);
  }
  return Array.from(ids, (id: unknown, index) =>
    checkInteger(typeof id === "bigint" ? Number(id) : id, `${name}[${index}]`, 0),
  );
}
