// What an encoder reads: texts or ids become the matrices that native code reads.

import type { PaddedBatch } from "../tokenizer/padded-batch.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { checkOptions, expected, isRecord } from "../util/validation.js";
import { idError, isIdArray, readIds, readMask, type TokenIds } from "./ids.js";
import { type AttendingModel, checkAttention } from "./memory-limit.js";

/** What the encoder reads, as text. */
export interface TextSource {
  readonly text: string | readonly string[];
  readonly inputIds?: undefined;
  readonly attentionMask?: undefined;
}

/** What the encoder reads, as ids. */
export interface IdSource {
  /** `[batch, sourceLength]` */
  readonly inputIds: TokenIds;
  /** 1 where the encoder attends, 0 at padding, `[batch, sourceLength]`. Default: all ones, as in Hugging Face. */
  readonly attentionMask?: TokenIds | undefined;
  readonly text?: undefined;
}

/** What the encoder reads, as `T5Tokenizer.encodeBatch` returns it: flat arrays with one shape for both. */
export interface TokenizedSource {
  readonly inputIds: Int32Array | BigInt64Array;
  readonly attentionMask?: Int32Array | BigInt64Array | undefined;
  readonly shape: readonly number[];
  readonly text?: undefined;
}

/** What of a model's configuration its inputs are checked against. */
export interface InputConfig {
  readonly vocabSize: number;
  readonly numHeads: number;
  readonly padTokenId: number;
  readonly decoderStartTokenId: number;
}

/** What a model reads its inputs with. */
export interface InputReader extends AttendingModel {
  readonly config: InputConfig;
  readonly tokenizer: T5Tokenizer | undefined;
}

export const SOURCE_FIELDS = ["text", "inputIds", "attentionMask", "shape"] as const;

/** The properties of a source as they were given, each read once. */
export type SourceFields = Readonly<Partial<Record<(typeof SOURCE_FIELDS)[number], unknown>>>;

/**
 * The properties of what a user handed in, those of `known` only. Each is read once: what was checked is what is used, even
 * when a getter answers differently each time. A text, or an array of texts, is short for `{ text }`.
 */
export function readFields<Name extends string>(
  input: unknown,
  name: string,
  known: readonly Name[],
): Readonly<Partial<Record<Name | "text", unknown>>> {
  if (typeof input === "string" || Array.isArray(input))
    return { text: input } as Partial<Record<Name | "text", unknown>>;
  if (!isRecord(input)) throw expected("a text, an array of texts or an object", name, input);
  const given = checkOptions(input, name, known);
  return Object.fromEntries(known.map((field) => [field, given[field]])) as Partial<Record<Name | "text", unknown>>;
}

/** Reads texts or ids. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE. */
export function readSourceIds(fields: SourceFields, reader: InputReader, name: string): PaddedBatch {
  const { text, inputIds, attentionMask, shape } = fields;
  if (text !== undefined) {
    for (const other of ["inputIds", "attentionMask", "shape"] as const) refuseBoth(fields, "text", other, name);
    return encodeTexts(text, "text", reader);
  }
  if (inputIds === undefined) throw expected("text or inputIds", name, undefined);
  if (shape !== undefined && !isIdArray(inputIds)) {
    throw expected("an Int32Array or a BigInt64Array, as shape is given,", "inputIds", inputIds);
  }
  const flat = (ids: unknown) => (shape !== undefined && isIdArray(ids) ? { data: ids, shape } : ids);
  const source = readIds(flat(inputIds), "inputIds", reader.config.vocabSize);
  checkAttention(source.batch, source.length, reader, "inputIds");
  const mask = attentionMask === undefined ? undefined : readMask(flat(attentionMask), "attentionMask", source);
  return { batch: source.batch, length: source.length, inputIds: source.data, attentionMask: mask };
}

/** The ids of one text or of several, padded. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE. */
export function encodeTexts(text: unknown, name: string, reader: InputReader): PaddedBatch {
  const { tokenizer, config } = reader;
  if (tokenizer === undefined) {
    throw expected("inputIds and labels, because the model has no tokenizer,", `the input instead of ${name}`, text);
  }
  const isOne = typeof text === "string";
  if (!isOne && !Array.isArray(text)) throw expected("a string or an array of strings", name, text);
  const encoded = tokenizer.encodePadded(isOne ? [text] : text, name);
  const wrong = encoded.inputIds.findIndex((id) => id >= config.vocabSize);
  if (wrong === -1) {
    checkAttention(encoded.batch, encoded.length, reader, name);
    return encoded;
  }
  throw idError(`a tokenizer whose ids are from 0 to ${config.vocabSize - 1}`, name, encoded.inputIds[wrong]);
}

/** Throws ERR_INVALID_ARGUMENT unless there are as many decoder rows as encoder rows. */
export function checkBatch(rows: number, batch: number, name: string): void {
  if (rows !== batch) throw expected(`${batch} rows, one for each of the encoder's,`, name, rows);
}

/** Throws ERR_INVALID_ARGUMENT where two properties are given that exclude each other. */
export function refuseBoth<Name extends string>(
  fields: Readonly<Partial<Record<Name, unknown>>>,
  first: Name,
  second: Name,
  name: string,
): void {
  if (fields[first] === undefined || fields[second] === undefined) return;
  throw expected(`only one of ${first} and ${second}`, name, fields);
}
