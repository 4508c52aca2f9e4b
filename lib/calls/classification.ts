// What classifiers of texts and of tokens share: one pass from ids to logits, batches of texts, probabilities.
import { shiftRight } from "../inputs/decoder-input.js";
import { checkSequences } from "../inputs/memory-limit.js";
import { encodeTexts, type Texts } from "../inputs/source.js";
import type { Labels } from "../loading/labels.js";
import type { NativeClassifyRequest, NativeScheduling, NativeTensor } from "../native/types.js";
import { type PaddedBatch, padRows } from "../tokenizer/padded-batch.js";
import { copyTexts, type TextEncoding } from "../tokenizer/t5-tokenizer.js";
import type { CallControl } from "../util/call-control.js";
import { readCallOptions } from "../util/call-options.js";
import type { Sliced } from "../util/slices.js";
import type { Tensor } from "../util/tensor.js";
import { expected, refused } from "../util/validation.js";
import type { Call, ModelHandle } from "./call.js";
import { readEncoderInput } from "./encoder-output.js";
import { type TruncationResult, truncationOf, wrapTensor } from "./results.js";

type ClassifyRequest = Omit<NativeClassifyRequest, "scheduling">;

/** The result of a classifier's `forward`. */
export interface ClassificationResult extends TruncationResult {
  /** `[batch, numLabels]` of texts, `[batch, sourceLength, numLabels]` of tokens. */
  readonly logits: Tensor;
}

/** One pass through the classifier of `call`. */
export async function forwardClassifier(
  call: Call,
  labels: Labels,
  input: unknown,
  options: unknown,
): Promise<ClassificationResult> {
  const { model } = call;
  const control = call.read(() => readCallOptions(options));
  call.check(control);
  const read = call.read(() => {
    const source = readEncoderInput(input, "input", model);
    return "texts" in source ? source : requestOf(source, model);
  });
  let truncation: TruncationResult = {};
  let passed: ClassifyRequest | undefined;
  const logits = await call.runSliced(control, prepareRequest(read, model), (scheduling, request) => {
    truncation = truncationOf(request.source);
    passed = request;
    return model.native.classify({ scheduling, ...request });
  });
  return { ...truncation, logits: checkLogits(call, labels, passed, logits) };
}

function* prepareRequest(read: Texts | ClassifyRequest, model: ModelHandle): Sliced<ClassifyRequest> {
  return "texts" in read ? requestOf(yield* encodeTexts(read, model), model) : read;
}

/**
 * Classifies one text or several, none of which is truncated, in batches, and passes each batch with its logits to
 * `take`. A classifier of texts takes only rows with the same number of end-of-sequence ids at once, so a text that
 * contains `</s>` goes into a batch of its own kind. Rejects with ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE,
 * ERR_OUT_OF_MEMORY, and with ERR_MODEL_CORRUPT where the logits aren't one per label.
 */
export async function classifyTexts(
  call: Call,
  labels: Labels,
  { texts, batchSize, control }: TextsToClassify,
  take: (batch: TextBatch, logits: Tensor) => void,
): Promise<void> {
  const { model } = call;
  const copied = call.read(() => readTexts(texts, model));
  let first: TextBatch | undefined;
  let others: readonly TextBatch[] = [];
  const pass = (scheduling: NativeScheduling, { request }: TextBatch) =>
    model.native.classify({ scheduling, ...request });
  const takeResult = (batch: TextBatch, result: NativeTensor<Float32Array>) => {
    const logits = checkLogits(call, labels, batch.request, result);
    take(batch, logits);
    logits.dispose();
  };
  const result = await call.runSliced(control, textBatches(copied, batchSize, model), (scheduling, batches) => {
    const [batch, ...rest] = batches;
    first = batch;
    others = rest;
    return pass(scheduling, batch);
  });
  if (first !== undefined) takeResult(first, result);
  for (const batch of others) takeResult(batch, await call.run(control, (scheduling) => pass(scheduling, batch)));
}

/** The logits as a tensor. Throws ERR_MODEL_CORRUPT where they aren't one per label. */
function checkLogits(
  call: Call,
  { numLabels }: Labels,
  request: ClassifyRequest | undefined,
  result: NativeTensor<Float32Array>,
): Tensor {
  const { kind, release } = call.model;
  const logits = wrapTensor(result, release);
  const { batch = 0, length = 0 } = request?.source ?? {};
  const shape = kind === "sequenceClassification" ? [batch, numLabels] : [batch, length, numLabels];
  if (shape.length === logits.shape.length && shape.every((size, axis) => size === logits.shape[axis])) return logits;
  logits.dispose();
  const what = `logits of the shape [${shape.join(", ")}], as id2label in config.json has ${numLabels} labels,`;
  throw call.error(refused(what, "model.pt", `[${logits.shape.join(", ")}]`, "ERR_MODEL_CORRUPT"));
}

/**
 * What native code reads of ids. A classifier of texts reads the state of each row's last end-of-sequence id. Throws
 * ERR_INVALID_ARGUMENT where a row has none, or another number of them than the first row, as Hugging Face does.
 */
function requestOf(source: PaddedBatch, { kind, config }: ModelHandle): ClassifyRequest {
  if (kind !== "sequenceClassification") return { source, decoderInputIds: undefined, positions: undefined };
  const { eosTokenId, decoderStartTokenId, padTokenId } = config;
  const { batch, length, inputIds } = source;
  const rows = Array.from({ length: batch }, (_, row) => inputIds.subarray(row * length, (row + 1) * length));
  const counts = rows.map((ids) => endsOf(ids, eosTokenId));
  const [first = 0] = counts;
  const wrong = counts.findIndex((count) => count !== first || count === 0);
  if (wrong !== -1) {
    const count = first === 0 ? "at least one id" : `as many ids as row 0 has, ${first},`;
    throw refused(`${count} ${eosTokenId}, the end of the sequence,`, `row ${wrong} of inputIds`, `${counts[wrong]}`);
  }
  return {
    source,
    decoderInputIds: shiftRight({ batch, length, data: inputIds }, decoderStartTokenId, padTokenId).data,
    positions: Int32Array.from(rows, (ids) => ids.lastIndexOf(eosTokenId)),
  };
}

/** A text of a call with its place among the texts. */
export interface EncodedText {
  readonly index: number;
  readonly text: string;
  readonly encoding: TextEncoding;
}

/** Texts that go through the model at once. */
export interface TextBatch {
  readonly texts: readonly EncodedText[];
  readonly request: ClassifyRequest;
}

type TextBatches = readonly [TextBatch, ...(readonly TextBatch[])];

/** Texts that were copied, and how errors name each of them. */
interface CopiedTexts {
  readonly texts: readonly string[];
  readonly names: (index: number) => string;
}

/** What a call of `classify` reads. */
export interface TextsToClassify {
  /** As the caller gave them. */
  readonly texts: unknown;
  readonly batchSize: number;
  readonly control: CallControl;
}

/** Copies one text or several. Throws ERR_INVALID_ARGUMENT. */
function readTexts(value: unknown, model: ModelHandle): CopiedTexts {
  if (model.tokenizer === undefined) {
    const { tokenizerRefusal: refusal } = model;
    const received = refusal === undefined ? "one without" : `one whose tokenizer is not supported (${refusal})`;
    throw refused("a model with a tokenizer (forward takes ids)", "classify", received);
  }
  if (typeof value === "string") return { texts: [value], names: () => "texts" };
  if (!Array.isArray(value) || value.length === 0) {
    throw expected("a text or an array of at least one text", "texts", value);
  }
  return { texts: copyTexts(value, "texts"), names: (index) => `texts[${index}]` };
}

function* textBatches({ texts, names }: CopiedTexts, batchSize: number, model: ModelHandle): Sliced<TextBatches> {
  const { tokenizer, config } = model;
  if (tokenizer === undefined) throw expected("a model with a tokenizer", "classify", undefined);
  const groups = new Map<string, EncodedText[]>();
  for (const [index, text] of texts.entries()) {
    yield;
    const encoding = yield* tokenizer.encodeText(text, names(index));
    const wrong = encoding.ids.find((id) => id >= config.vocabSize);
    if (wrong !== undefined) {
      const what = `a tokenizer of ids from 0 to ${config.vocabSize - 1}`;
      throw expected(what, names(index), wrong, "ERR_TOKEN_OUT_OF_RANGE");
    }
    const key = model.kind === "sequenceClassification" ? rowKind(encoding.ids, tokenizer.padTokenId, config) : "";
    const group = groups.get(key) ?? [];
    group.push({ index, text, encoding });
    groups.set(key, group);
  }
  const batches: TextBatch[] = [];
  for (const group of groups.values()) {
    for (let begin = 0; begin < group.length; begin += batchSize) {
      const members = group.slice(begin, begin + batchSize);
      const source = yield* padRows(
        members.map(({ encoding }) => encoding.ids),
        tokenizer.padTokenId,
      );
      checkSequences(source.batch, source.length, model, "texts");
      batches.push({ texts: members, request: requestOf(source, model) });
    }
  }
  const [first, ...others] = batches;
  if (first === undefined) throw expected("at least one text", "texts", texts);
  return [first, ...others];
}

/** Equal for rows that a classifier of texts takes at once. Padding with the end-of-sequence id adds ends. */
function rowKind(ids: Int32Array, padTokenId: number, { eosTokenId }: ModelHandle["config"]): string {
  return `${endsOf(ids, eosTokenId)} ${padTokenId === eosTokenId ? ids.length : ""}`;
}

function endsOf(ids: Int32Array, eosTokenId: number): number {
  return ids.reduce((count, id) => count + (id === eosTokenId ? 1 : 0), 0);
}
