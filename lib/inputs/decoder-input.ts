// What the decoder reads: given ids, labels or texts shifted right, or the start id alone.
import type { IdMatrix, PaddedBatch } from "../tokenizer/padded-batch.js";
import { readIds, readLabels, type TokenIds } from "./ids.js";
import { checkSequences } from "./memory-limit.js";
import { checkBatch, type InputModel, readTexts, refuseBoth, type Texts } from "./source.js";

/** What the decoder reads: at most one of the three. Default: the decoder start id, once per row. */
export type DecoderInput =
  | {
      /** One text per row of the source. Tokenized, then shifted right after the decoder start id. */
      readonly target?: string | readonly string[] | undefined;
      readonly labels?: undefined;
      readonly decoderInputIds?: undefined;
    }
  | {
      readonly target?: undefined;
      /** `[batch, targetLength]`, shifted right after the decoder start id; -100 becomes the pad id. */
      readonly labels: TokenIds;
      readonly decoderInputIds?: undefined;
    }
  | {
      readonly target?: undefined;
      readonly labels?: undefined;
      /** `[batch, targetLength]`, read by the decoder as they are. */
      readonly decoderInputIds: TokenIds;
    };

/** The decoder's ids, and the labels that a loss compares with. */
interface DecoderIds {
  readonly ids: IdMatrix;
  /** Of the shape of `ids`; undefined where the input has neither target nor labels. */
  readonly labels: Int32Array | undefined;
}

/** The label of a position that the loss ignores: the default of PyTorch's `cross_entropy`. */
export const IGNORED_LABEL = -100;

export const DECODER_FIELDS = ["target", "labels", "decoderInputIds"] as const;

/** The properties of a decoder's input as the caller gave them. */
type DecoderFields = Readonly<Partial<Record<(typeof DECODER_FIELDS)[number], unknown>>>;

/** The decoder's input, copied: labels, the texts of a target, ids, or nothing. */
interface ReadDecoderInput {
  readonly labels?: IdMatrix;
  readonly target?: Texts;
  readonly ids?: IdMatrix;
}

/**
 * Copies and checks the decoder's input for a source of `batch` rows. Throws ERR_INVALID_ARGUMENT,
 * ERR_TOKEN_OUT_OF_RANGE.
 */
export function readDecoderInput(fields: DecoderFields, batch: number, model: InputModel): ReadDecoderInput {
  const { target, labels, decoderInputIds } = fields;
  const { vocabSize } = model.config;
  refuseBoth(fields, "target", "labels", "input");
  refuseBoth(fields, "target", "decoderInputIds", "input");
  refuseBoth(fields, "labels", "decoderInputIds", "input");
  if (target !== undefined) {
    const texts = readTexts(target, "target", model);
    checkBatch(texts.texts.length, batch, "target");
    return { target: texts };
  }
  const check = (ids: IdMatrix, name: string) => {
    checkSequences(ids.batch, ids.length, model, name);
    checkBatch(ids.batch, batch, name);
    return ids;
  };
  if (labels !== undefined) return { labels: check(readLabels(labels, "labels", vocabSize, IGNORED_LABEL), "labels") };
  if (decoderInputIds === undefined) return {};
  return { ids: check(readIds(decoderInputIds, "decoderInputIds", vocabSize), "decoderInputIds") };
}

/** The ids that the decoder reads, for a source of `batch` rows. `target` has the input's target, tokenized. */
export function decoderIdsOf(
  input: ReadDecoderInput,
  target: PaddedBatch | undefined,
  batch: number,
  model: InputModel,
): DecoderIds {
  const { decoderStartTokenId, padTokenId } = model.config;
  const labels = target === undefined ? input.labels : labelsOf(target);
  if (labels !== undefined) return { ids: shiftRight(labels, decoderStartTokenId, padTokenId), labels: labels.data };
  return { ids: input.ids ?? startRows(batch, decoderStartTokenId), labels: undefined };
}

/**
 * The decoder's input for which position t predicts label t: each row moved right by one after the start id, with the
 * pad id for ignored labels. Hugging Face's `T5ForConditionalGeneration._shift_right`.
 */
export function shiftRight(labels: IdMatrix, startId: number, padId: number): IdMatrix {
  const { batch, length } = labels;
  const data = new Int32Array(labels.data.length);
  data.set(labels.data.subarray(0, -1), 1);
  for (let row = 0; row < batch; row++) data[row * length] = startId;
  for (let index = 0; index < data.length; index++) if (data[index] === IGNORED_LABEL) data[index] = padId;
  return { batch, length, data };
}

/** The start id, once per row. */
export function startRows(batch: number, startId: number): IdMatrix {
  return { batch, length: 1, data: new Int32Array(batch).fill(startId) };
}

/**
 * The decoder's input of a generation: the start id before each row, unless a row begins with it. Hugging Face's
 * `_prepare_decoder_input_ids_for_generation`.
 */
export function withStartId(ids: IdMatrix, startId: number): IdMatrix {
  const { batch, length, data } = ids;
  for (let row = 0; row < batch; row++) if (data[row * length] === startId) return ids;
  const longer = new Int32Array(batch * (length + 1));
  for (let row = 0; row < batch; row++) {
    longer[row * (length + 1)] = startId;
    longer.set(data.subarray(row * length, (row + 1) * length), row * (length + 1) + 1);
  }
  return { batch, length: length + 1, data: longer };
}

/** The labels of a target. Padding is ignored by the loss, as in Hugging Face's training scripts. */
function labelsOf({ batch, length, inputIds, attentionMask }: PaddedBatch): IdMatrix {
  const data =
    attentionMask === undefined
      ? inputIds
      : inputIds.map((id, index) => (attentionMask[index] === 0 ? IGNORED_LABEL : id));
  return { batch, length, data };
}
