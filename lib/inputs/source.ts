// What the encoder reads: texts or ids become the matrices that native code reads.
import { type PaddedBatch, padRows } from "../tokenizer/padded-batch.js";
import { copyTexts, type T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { readMaxLength, TRUNCATION_OPTIONS, type TruncationOptions } from "../tokenizer/truncation.js";
import { readProperties } from "../util/call-options.js";
import { SLICED_UNITS, type Sliced } from "../util/slices.js";
import { expected, isRecord } from "../util/validation.js";
import { idError, isIdArray, readIds, readMask, type TokenIds } from "./ids.js";
import { checkSequences, type SequenceLimits } from "./memory-limit.js";

/** An encoder's input as texts, which `maxLength` and `truncation` truncate. */
export interface TextSource extends TruncationOptions {
  readonly text: string | readonly string[];
  readonly inputIds?: undefined;
  readonly attentionMask?: undefined;
}

/** An encoder's input as ids. */
export interface IdSource {
  /** `[batch, sourceLength]` */
  readonly inputIds: TokenIds;
  /** 1 where the encoder attends, 0 at padding, `[batch, sourceLength]`. Default: all ones, as in Hugging Face. */
  readonly attentionMask?: TokenIds | undefined;
  readonly text?: undefined;
  readonly maxLength?: undefined;
  readonly truncation?: undefined;
}

/**
 * An encoder's input as `T5Tokenizer.encodeBatch` returns it: flat arrays of the same shape, `[batch, sourceLength]`.
 */
export interface TokenizedSource {
  readonly inputIds: Int32Array | BigInt64Array;
  readonly attentionMask?: Int32Array | BigInt64Array | undefined;
  readonly shape: readonly number[];
  /** Not read: it is for the caller of `encodeBatch`. */
  readonly truncated?: readonly boolean[] | undefined;
  readonly text?: undefined;
  readonly maxLength?: undefined;
  readonly truncation?: undefined;
}

/** The parts of a model that read and check its inputs. */
export interface InputModel extends SequenceLimits {
  readonly config: {
    readonly vocabSize: number;
    readonly numHeads: number;
    readonly padTokenId: number;
    readonly decoderStartTokenId: number;
  };
  readonly tokenizer: T5Tokenizer | undefined;
  /** Why there is none, where the directory has one that torch-t5 can't carry out. */
  readonly tokenizerRefusal?: string | undefined;
}

export const SOURCE_FIELDS = [
  "text",
  "inputIds",
  "attentionMask",
  "shape",
  "truncated",
  ...TRUNCATION_OPTIONS,
] as const;

/** How texts are tokenized. */
export interface TextOptions {
  /** Truncate to this many ids. Default: never. */
  readonly maxLength?: number | undefined;
  /** Default: true. */
  readonly addSpecialTokens?: boolean;
}

/** Texts that were copied, and that `encodeTexts` tokenizes. */
export interface Texts extends TextOptions {
  readonly texts: readonly string[];
  /** Names the texts in errors. */
  readonly name: string;
  /** The index of the first text in errors. Default: 0. */
  readonly first?: number;
}

/** The properties of a source as the caller gave them. */
type SourceFields = Readonly<Partial<Record<(typeof SOURCE_FIELDS)[number], unknown>>>;

/**
 * Reads the properties `known` of an input, each once, so that a getter can't change what was checked. A text or an
 * array of texts is short for `{ text }`. Throws ERR_INVALID_ARGUMENT.
 */
export function readFields<Name extends string>(
  input: unknown,
  name: string,
  known: readonly Name[],
): Readonly<Partial<Record<Name | "text", unknown>>> {
  if (typeof input === "string" || Array.isArray(input)) {
    return { text: input } as Partial<Record<Name | "text", unknown>>;
  }
  if (!isRecord(input)) throw expected("a text, an array of texts or an object", name, input);
  return readProperties<Name | "text">(input, name, known);
}

/** Copies texts, or copies and checks ids. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE. */
export function readSourceIds(fields: SourceFields, model: InputModel, name: string): PaddedBatch | Texts {
  const { text, inputIds, attentionMask, shape } = fields;
  if (text !== undefined) {
    for (const other of ["inputIds", "attentionMask", "shape", "truncated"] as const) {
      refuseBoth(fields, "text", other, name);
    }
    return readTexts(text, "text", model, { maxLength: readSourceLength(fields, name, model) });
  }
  if (inputIds === undefined) throw expected("text or inputIds", name, undefined);
  for (const option of TRUNCATION_OPTIONS) refuseBoth(fields, "inputIds", option, name);
  if (shape !== undefined && !isIdArray(inputIds)) {
    throw expected("an Int32Array or a BigInt64Array, as shape is given,", "inputIds", inputIds);
  }
  const flat = (ids: unknown) => (shape !== undefined && isIdArray(ids) ? { data: ids, shape } : ids);
  const source = readIds(flat(inputIds), "inputIds", model.config.vocabSize);
  checkSequences(source.batch, source.length, model, "inputIds");
  const mask = attentionMask === undefined ? undefined : readMask(flat(attentionMask), "attentionMask", source);
  return { batch: source.batch, length: source.length, inputIds: source.data, attentionMask: mask };
}

/** The number of ids that the texts of a source are truncated to, or undefined. Throws ERR_INVALID_ARGUMENT. */
function readSourceLength(fields: SourceFields, name: string, { tokenizer }: InputModel): number | undefined {
  return readMaxLength(fields, `${name}.`, { modelMaxLength: tokenizer?.modelMaxLength });
}

/** Copies one text or several. Throws ERR_INVALID_ARGUMENT. */
export function readTexts(text: unknown, name: string, model: InputModel, options: TextOptions = {}): Texts {
  if (model.tokenizer === undefined) {
    const { tokenizerRefusal: refusal } = model;
    const why =
      refusal === undefined ? "the model has no tokenizer" : `the model's tokenizer is not supported (${refusal})`;
    throw expected(`inputIds and labels, because ${why},`, `the input instead of ${name}`, text);
  }
  if (typeof text === "string") return { texts: [text], name, ...options };
  if (!Array.isArray(text)) throw expected("a string or an array of strings", name, text);
  return { texts: copyTexts(text, name), name, ...options };
}

/** The number of rows of a source. */
export function rowsOf(source: PaddedBatch | Texts): number {
  return "texts" in source ? source.texts.length : source.batch;
}

/** Tokenizes a source that consists of texts; any other one is returned as it is. Throws as `encodeTexts` does. */
export function* encodeSource<Encoded extends object>(
  source: Texts | Encoded,
  model: InputModel,
): Sliced<PaddedBatch | Encoded> {
  return isTexts(source) ? yield* encodeTexts(source, model) : source;
}

/**
 * Tokenizes texts, padded to one length: the one place where the texts of calls become ids. Throws
 * ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_OUT_OF_MEMORY.
 */
export function* encodeTexts(texts: Texts, model: InputModel): Sliced<PaddedBatch> {
  const { name, first, maxLength, addSpecialTokens = true } = texts;
  const { tokenizer } = model;
  if (tokenizer === undefined) throw expected("a model with a tokenizer", name, texts);
  const encoded = yield* tokenizer.encodePadded(texts.texts, { name, first }, { maxLength, addSpecialTokens });
  return yield* checkTextIds(encoded, name, model);
}

/** Pads rows of a tokenizer's ids. Throws as `encodeTexts` does. */
export function* padIds(rows: readonly Int32Array[], name: string, model: InputModel): Sliced<PaddedBatch> {
  const padTokenId = model.tokenizer?.padTokenId ?? model.config.padTokenId;
  return yield* checkTextIds(yield* padRows(rows, padTokenId), name, model);
}

/** Checks what a tokenizer made of texts. */
function* checkTextIds(encoded: PaddedBatch, name: string, model: InputModel): Sliced<PaddedBatch> {
  const { inputIds } = encoded;
  const { vocabSize } = model.config;
  for (let index = 0; index < inputIds.length; index++) {
    if ((index + 1) % SLICED_UNITS === 0) yield;
    if ((inputIds[index] ?? 0) < vocabSize) continue;
    throw idError(`a tokenizer of ids from 0 to ${vocabSize - 1}`, name, inputIds[index]);
  }
  checkSequences(encoded.batch, encoded.length, model, name);
  return encoded;
}

/** Throws ERR_INVALID_ARGUMENT unless the decoder has as many rows as the encoder. */
export function checkBatch(rows: number, batch: number, name: string): void {
  if (rows !== batch) throw expected(`${batch} rows, one for each of the encoder's,`, name, rows);
}

/** Throws ERR_INVALID_ARGUMENT where both of two properties are given. */
export function refuseBoth<Name extends string>(
  fields: Readonly<Partial<Record<Name, unknown>>>,
  first: Name,
  second: Name,
  name: string,
): void {
  if (fields[first] === undefined || fields[second] === undefined) return;
  throw expected(`only one of ${first} and ${second}`, name, fields);
}

function isTexts(source: object): source is Texts {
  return "texts" in source;
}
