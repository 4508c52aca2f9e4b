// What `forward` is asked to compute on: a source for the encoder, and what the decoder reads.
import type { IdMatrix, PaddedBatch } from "../tokenizer/padded-batch.js";
import { IGNORED_LABEL, shiftRight, startRows } from "./batch.js";
import { readIds, readLabels, type TokenIds } from "./ids.js";
import { checkAttention } from "./memory-limit.js";
import {
  checkBatch,
  encodeTexts,
  type IdSource,
  type InputReader,
  readFields,
  readSourceIds,
  refuseBoth,
  SOURCE_FIELDS,
  type TextSource,
  type TokenizedSource,
} from "./source.js";

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
export type ForwardInput = string | readonly string[] | ((TextSource | IdSource | TokenizedSource) & DecoderInput);

/** The checked matrices of one call. */
export interface ForwardInputs {
  readonly source: PaddedBatch;
  readonly decoder: IdMatrix;
  /** What the loss compares with, of the decoder's shape; undefined where nothing says it. */
  readonly labels: Int32Array | undefined;
}

const FIELDS = [...SOURCE_FIELDS, "target", "labels", "decoderInputIds"] as const;

type Fields = Readonly<Partial<Record<(typeof FIELDS)[number], unknown>>>;

/** Reads what a user handed in. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE. */
export function readInputs(input: unknown, reader: InputReader): ForwardInputs {
  const fields: Fields = readFields(input, "input", FIELDS);
  const source = readSourceIds(fields, reader, "input");
  const { vocabSize, decoderStartTokenId, padTokenId } = reader.config;
  const labels = readTarget(fields, reader);
  if (labels !== undefined) {
    checkBatch(labels.batch, source.batch, fields.target === undefined ? "labels" : "target");
    return { source, decoder: shiftRight(labels, decoderStartTokenId, padTokenId), labels: labels.data };
  }
  if (fields.decoderInputIds === undefined) {
    return { source, decoder: startRows(source.batch, decoderStartTokenId), labels: undefined };
  }
  const decoder = readIds(fields.decoderInputIds, "decoderInputIds", vocabSize);
  checkAttention(decoder.batch, decoder.length, reader, "decoderInputIds");
  checkBatch(decoder.batch, source.batch, "decoderInputIds");
  return { source, decoder, labels: undefined };
}

/** The labels of a call, or undefined where it has none. */
function readTarget(fields: Fields, reader: InputReader): IdMatrix | undefined {
  const { target, labels } = fields;
  refuseBoth(fields, "target", "labels", "input");
  refuseBoth(fields, "target", "decoderInputIds", "input");
  refuseBoth(fields, "labels", "decoderInputIds", "input");
  if (labels !== undefined) {
    const read = readLabels(labels, "labels", reader.config.vocabSize, IGNORED_LABEL);
    checkAttention(read.batch, read.length, reader, "labels");
    return read;
  }
  if (target === undefined) return undefined;
  const { batch, length, inputIds, attentionMask } = encodeTexts(target, "target", reader);
  // The loss ignores padding, as training scripts of Hugging Face's have it.
  const data =
    attentionMask === undefined
      ? inputIds
      : inputIds.map((id, index) => (attentionMask[index] === 0 ? IGNORED_LABEL : id));
  return { batch, length, data };
}
