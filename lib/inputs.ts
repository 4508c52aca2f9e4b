// What `forward` is asked to compute on: texts or ids become the matrices that native code reads.
import { type IdMatrix, IGNORED_LABEL, type PaddedBatch, shiftRight, startRows } from "./batch.js";
import type { T5Config } from "./config.js";
import { idError, isIdArray, readIds, readLabels, readMask, type TokenIds } from "./ids.js";
import type { T5Tokenizer } from "./tokenizer.js";
import { checkOptions, expected, isRecord } from "./validation.js";

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
export interface EncodedSource {
  readonly inputIds: Int32Array | BigInt64Array;
  readonly attentionMask?: Int32Array | BigInt64Array | undefined;
  readonly shape: readonly number[];
  readonly text?: undefined;
}

/** What the decoder reads: at most one of the three. Default: the decoder start id, once per row. */
export type DecoderInput =
  | {
      /** One text per row; tokenized, and shifted right behind the decoder start id. */
      readonly target?: string | readonly string[] | undefined;
      readonly labels?: undefined;
      readonly decoderInputIds?: undefined;
    }
  | {
      readonly target?: undefined;
      /** `[batch, targetLength]`; shifted right behind the decoder start id, -100 becomes padding. */
      readonly labels: TokenIds;
      readonly decoderInputIds?: undefined;
    }
  | {
      readonly target?: undefined;
      readonly labels?: undefined;
      /** `[batch, targetLength]`, given to the decoder as they are. */
      readonly decoderInputIds: TokenIds;
    };

/** What `forward` takes. */
export type ForwardInput = string | readonly string[] | ((TextSource | IdSource | EncodedSource) & DecoderInput);

/** The checked matrices of one call. */
export interface ModelInputs {
  readonly source: IdMatrix;
  /** `[batch, sourceLength]`; undefined: all ones. */
  readonly attentionMask: Int32Array | undefined;
  readonly decoder: IdMatrix;
  /** What the loss compares with, of the decoder's shape; undefined where nothing says it. */
  readonly labels: Int32Array | undefined;
}

/** What a model reads its inputs with. */
export interface InputReader {
  readonly config: T5Config;
  readonly tokenizer: T5Tokenizer | undefined;
}

const FIELDS = ["text", "target", "inputIds", "attentionMask", "shape", "labels", "decoderInputIds"] as const;

type Fields = Readonly<Partial<Record<(typeof FIELDS)[number], unknown>>>;

/** Reads what a user handed in. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE. */
export function readInputs(input: unknown, reader: InputReader): ModelInputs {
  const fields = readFields(input);
  const { source, attentionMask } = readSource(fields, reader);
  const { vocabSize, decoderStartTokenId, padTokenId } = reader.config;
  const labels = readTarget(fields, reader);
  if (labels !== undefined) {
    checkBatch(labels, source, fields.target === undefined ? "labels" : "target");
    return { source, attentionMask, decoder: shiftRight(labels, decoderStartTokenId, padTokenId), labels: labels.data };
  }
  if (fields.decoderInputIds === undefined) {
    return { source, attentionMask, decoder: startRows(source.batch, decoderStartTokenId), labels: undefined };
  }
  const decoder = readIds(fields.decoderInputIds, "decoderInputIds", vocabSize);
  checkBatch(decoder, source, "decoderInputIds");
  return { source, attentionMask, decoder, labels: undefined };
}

function readFields(input: unknown): Fields {
  if (typeof input === "string" || Array.isArray(input)) return { text: input };
  if (!isRecord(input)) throw expected("a text, an array of texts or an object", "input", input);
  // Each is read once: what was checked is what is used, even when a getter answers differently each time.
  const { text, target, inputIds, attentionMask, shape, labels, decoderInputIds } = checkOptions(
    input,
    "input",
    FIELDS,
  );
  return { text, target, inputIds, attentionMask, shape, labels, decoderInputIds };
}

function readSource(fields: Fields, reader: InputReader): Pick<ModelInputs, "source" | "attentionMask"> {
  const { text, inputIds, attentionMask, shape } = fields;
  if (text !== undefined) {
    for (const name of ["inputIds", "attentionMask", "shape"] as const) refuseBoth(fields, "text", name);
    const { mask, ...source } = encode(text, "text", reader);
    return { source, attentionMask: mask };
  }
  if (inputIds === undefined) throw expected("text or inputIds", "input", undefined);
  if (shape !== undefined && !isIdArray(inputIds)) {
    throw expected("an Int32Array or a BigInt64Array, as shape is given,", "inputIds", inputIds);
  }
  const flat = (ids: unknown) => (shape !== undefined && isIdArray(ids) ? { data: ids, shape } : ids);
  const source = readIds(flat(inputIds), "inputIds", reader.config.vocabSize);
  const mask = attentionMask === undefined ? undefined : readMask(flat(attentionMask), "attentionMask", source);
  return { source, attentionMask: mask };
}

/** The labels of a call, or undefined where it has none. */
function readTarget(fields: Fields, reader: InputReader): IdMatrix | undefined {
  const { target, labels } = fields;
  refuseBoth(fields, "target", "labels");
  refuseBoth(fields, "target", "decoderInputIds");
  refuseBoth(fields, "labels", "decoderInputIds");
  if (labels !== undefined) return readLabels(labels, "labels", reader.config.vocabSize, IGNORED_LABEL);
  if (target === undefined) return undefined;
  const { mask, ...ids } = encode(target, "target", reader);
  // The loss ignores padding, as training scripts of Hugging Face's have it.
  const data = mask === undefined ? ids.data : ids.data.map((id, index) => (mask[index] === 0 ? IGNORED_LABEL : id));
  return { ...ids, data };
}

function encode(text: unknown, name: string, { tokenizer, config }: InputReader): PaddedBatch {
  if (tokenizer === undefined) {
    throw expected("inputIds and labels, because the model has no tokenizer,", `the input instead of ${name}`, text);
  }
  const isOne = typeof text === "string";
  if (!isOne && !Array.isArray(text)) throw expected("a string or an array of strings", name, text);
  const encoded = tokenizer.encodePadded(isOne ? [text] : text, name);
  const wrong = encoded.data.findIndex((id) => id >= config.vocabSize);
  if (wrong === -1) return encoded;
  throw idError(`a tokenizer whose ids are from 0 to ${config.vocabSize - 1}`, name, encoded.data[wrong]);
}

function checkBatch(decoder: IdMatrix, source: IdMatrix, name: string): void {
  if (decoder.batch === source.batch) return;
  throw expected(`${source.batch} rows, one for each of the encoder's,`, name, decoder.batch);
}

function refuseBoth(fields: Fields, first: keyof Fields, second: keyof Fields): void {
  if (fields[first] === undefined || fields[second] === undefined) return;
  throw expected(`only one of ${first} and ${second}`, "input", fields);
}
