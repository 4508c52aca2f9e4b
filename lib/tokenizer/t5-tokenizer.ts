// The public tokenizer: texts to ids as Hugging Face gives them, padded batches, and back.
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { types } from "node:util";
import { T5Error } from "../util/errors.js";
import { checkObject, parseJson } from "../util/json.js";
import { checkFlag, checkInteger, checkOptions, expected, INT32_MAX, readPath } from "../util/validation.js";
import { byteCodec } from "./bytes.js";
import { CleaningStream } from "./cleaning-up.js";
import type { Codec, DecodingOptions } from "./codec.js";
import { DecodeStream } from "./decode-stream.js";
import { type IdRow, makePadded, type PaddedBatch, padRows, putRow } from "./padded-batch.js";
import { subwordCodec } from "./subwords.js";

/** One encoded text. */
export interface Encoding {
  /** Token ids, the end-of-sequence id last. */
  readonly ids: Int32Array;
  /**
   * The part of the text that each id stands for, in UTF-16 units as `slice` counts them: `[ids.length, 2]`, start and
   * end. 0 and 0 for what isn't of the text, as the end-of-sequence id.
   */
  readonly offsets: Int32Array;
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

export interface EncodeBatchOptions extends EncodeOptions {
  /** The length of the batch is a multiple of this. */
  readonly padToMultipleOf?: number | undefined;
}

export interface DecodeOptions {
  /** Leave out `<pad>`, `</s>` and the like. Default: false, as in Hugging Face. */
  readonly skipSpecialTokens?: boolean | undefined;
  /** Take away spaces before punctuation. Default: what tokenizer_config.json says, and else false. */
  readonly cleanUpTokenizationSpaces?: boolean | undefined;
}

/** How long `encodeBatchAsync` keeps the event loop at a time. */
const TURN_MS = 3;

/** A model's tokenizer: subwords as Rust's tokenizers finds them, bytes for ByT5. */
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

  /** The tokenizer of a directory, or undefined where it has none. @internal */
  static async find(path: string): Promise<T5Tokenizer | undefined> {
    const read = async (name: string) => {
      // As one piece: a file of 17 MB is decoded in half the time that it takes chunk by chunk.
      const bytes = await readFile(join(path, name)).catch(() => undefined);
      return bytes === undefined ? undefined : checkObject(parseJson(bytes.toString("utf8"), name), name);
    };
    const [vocabulary, config = {}] = await Promise.all([read("tokenizer.json"), read("tokenizer_config.json")]);
    if (vocabulary !== undefined) return new T5Tokenizer(subwordCodec(vocabulary, config));
    return config.tokenizer_class === "ByT5Tokenizer" ? new T5Tokenizer(byteCodec(config)) : undefined;
  }

  get padTokenId(): number {
    return this.#codec.padTokenId;
  }

  get eosTokenId(): number {
    return this.#codec.eosTokenId;
  }

  /**
   * The ids of a text, the end-of-sequence id last. An empty text is that id alone. Half of a surrogate pair is taken as
   * U+FFFD. Throws ERR_INVALID_ARGUMENT.
   */
  encode(text: string, options?: EncodeOptions): Encoding {
    const { maxLength } = checkEncodeOptions(options, ["maxLength"]);
    return this.#encode(text, "text", maxLength);
  }

  /** The ids of texts, padded on the right to the longest, with their mask. Throws ERR_INVALID_ARGUMENT. */
  encodeBatch(texts: readonly string[], options?: EncodeBatchOptions): BatchEncoding {
    const { maxLength, padToMultipleOf } = checkEncodeOptions(options, ["maxLength", "padToMultipleOf"]);
    return batchOf(this.encodePadded(texts, "texts", maxLength, padToMultipleOf));
  }

  /** The same, with pauses: the event loop is kept for a few milliseconds at a time. Rejects as `encodeBatch` throws. */
  async encodeBatchAsync(texts: readonly string[], options?: EncodeBatchOptions): Promise<BatchEncoding> {
    const { maxLength, padToMultipleOf } = checkEncodeOptions(options, ["maxLength", "padToMultipleOf"]);
    const copied = checkTexts(texts, "texts");
    const turn = new Turn();
    const rows: Int32Array[] = [];
    for (const [index, text] of copied.entries()) {
      rows.push(this.#encode(text, `texts[${index}]`, maxLength).ids);
      if (turn.isOver) await turn.next();
    }
    const padded = makePadded(rows, this.#codec.padTokenId, padToMultipleOf);
    for (const [row, ids] of rows.entries()) {
      putRow(padded, row, ids);
      if (turn.isOver) await turn.next();
    }
    return batchOf(padded);
  }

  /** How many ids a text has, the end-of-sequence id included. Throws ERR_INVALID_ARGUMENT. */
  countTokens(text: string): number {
    const { ids } = this.#tokensOf(text, "text");
    const { before, behind } = this.#codec.template(ids);
    return before.length + ids.length + behind.length;
  }

  /** The text of ids. Ids that the vocabulary lacks are left out, as in Hugging Face. Throws ERR_INVALID_ARGUMENT. */
  decode(ids: IdRow, options?: DecodeOptions): string {
    return this.#codec.decode(checkIds(ids, "ids"), this.#checkDecodeOptions(options));
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

  /** The id of a token, or undefined where the vocabulary has none. */
  tokenToId(token: string): number | undefined {
    if (typeof token !== "string") throw expected("a string", "token", token);
    return this.#codec.id(token);
  }

  /**
   * A decoder of ids that come one by one, as a model generates them: its pieces join to what `decode` gives for all of them,
   * and none ends within a character. Throws ERR_INVALID_ARGUMENT.
   */
  decodeStream(options?: DecodeOptions): DecodeStream {
    const { skipSpecialTokens, cleanUp } = this.#checkDecodeOptions(options);
    const stream = this.#codec.stream(skipSpecialTokens);
    return new DecodeStream(cleanUp ? new CleaningStream(stream) : stream);
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
  encodePadded(texts: unknown, name: string, maxLength?: number, padToMultipleOf?: number): PaddedBatch {
    const rows = checkTexts(texts, name).map((text, index) => this.#encode(text, `${name}[${index}]`, maxLength).ids);
    return padRows(rows, this.#codec.padTokenId, padToMultipleOf);
  }

  #checkDecodeOptions(options: unknown): DecodingOptions {
    const { skipSpecialTokens, cleanUpTokenizationSpaces: cleanUp } = checkOptions(options, "options", [
      "skipSpecialTokens",
      "cleanUpTokenizationSpaces",
    ]);
    return {
      skipSpecialTokens: checkFlag(skipSpecialTokens, "options.skipSpecialTokens"),
      cleanUp: cleanUp === undefined ? this.#codec.cleansUp : checkFlag(cleanUp, "options.cleanUpTokenizationSpaces"),
    };
  }

  #encode(text: unknown, name: string, maxLength: number | undefined): Encoding {
    const tokens = this.#tokensOf(text, name);
    const { length } = tokens.ids;
    const { mostAdded } = this.#codec;
    const count = maxLength === undefined ? length : Math.min(length, Math.max(0, maxLength - mostAdded));
    const { before, behind } = this.#codec.template(count === length ? tokens.ids : tokens.ids.subarray(0, count));
    const ids = new Int32Array(before.length + count + behind.length);
    const offsets = new Int32Array(2 * ids.length);
    ids.set(before);
    ids.set(count === length ? tokens.ids : tokens.ids.subarray(0, count), before.length);
    ids.set(behind, before.length + count);
    offsets.set(count === length ? tokens.offsets : tokens.offsets.subarray(0, 2 * count), 2 * before.length);
    return { ids, offsets };
  }

  #tokensOf(text: unknown, name: string) {
    if (typeof text !== "string") throw expected("a string", name, text);
    try {
      return this.#codec.encode(text);
    } catch (cause) {
      const { code, message } = expected("a text that the tokenizer can take", name, text);
      throw new T5Error(code, message, { cause });
    }
  }
}

/** A turn of the event loop. */
class Turn {
  #begin = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#begin >= TURN_MS;
  }

  async next(): Promise<void> {
    await setImmediate();
    this.#begin = performance.now();
  }
}

function batchOf({ batch, length, inputIds, attentionMask }: PaddedBatch): BatchEncoding {
  return { inputIds, attentionMask: attentionMask ?? new Int32Array(inputIds.length).fill(1), shape: [batch, length] };
}

function checkTexts(texts: unknown, name: string): readonly unknown[] {
  if (!Array.isArray(texts)) throw expected("an array of strings", name, texts);
  if (texts.length === 0) throw expected("at least one text", name, texts);
  // Array.from visits holes, which map would leave in the rows.
  return Array.from(texts);
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
