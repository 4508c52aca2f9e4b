// What classifiers of texts and of tokens share: one pass from ids to logits, batches of texts, probabilities.
import { shiftRight } from "../inputs/decoder-input.js";
import { checkAttention } from "../inputs/memory-limit.js";
import type { Labels } from "../loading/labels.js";
import type { NativeClassifyRequest } from "../native/types.js";
import { type PaddedBatch, padRows } from "../tokenizer/padded-batch.js";
import type { TextEncoding } from "../tokenizer/t5-tokenizer.js";
import { readSignal } from "../util/call-options.js";
import type { Tensor } from "../util/tensor.js";
import { expected, refused } from "../util/validation.js";
import { type Call, type ModelHandle, throwIfAborted } from "./call.js";
import { readEncoderInput } from "./encoder-output.js";
import { wrapTensor } from "./results.js";

/** The result of a classifier's `forward`. */
export interface ClassificationResult {
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
  const signal = call.read(() => readSignal(options));
  throwIfAborted(signal);
  const request = call.read(() => requestOf(readEncoderInput(input, "input", model), model));
  return { logits: await computeLogits(call, labels, request, signal) };
}

/** The logits of a request. Rejects with ERR_MODEL_CORRUPT where they aren't one per label. */
export async function computeLogits(
  call: Call,
  { numLabels }: Labels,
  request: Omit<NativeClassifyRequest, "scheduling">,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  const { kind, native, release } = call.model;
  const logits = wrapTensor(await call.run(signal, (scheduling) => native.classify({ scheduling, ...request })), release);
  const { batch, length } = request.source;
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
export function requestOf(source: PaddedBatch, { kind, config }: ModelHandle): Omit<NativeClassifyRequest, "scheduling"> {
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
  readonly request: Omit<NativeClassifyRequest, "scheduling">;
}

/**
 * Tokenizes one text or several, none of which is truncated, in batches. A classifier of texts takes only rows with the
 * same number of end-of-sequence ids at once, so a text that contains `</s>` goes into a batch of its own kind. Throws
 * ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_OUT_OF_MEMORY.
 */
export function readTextBatches(value: unknown, batchSize: number, model: ModelHandle): readonly TextBatch[] {
  const { tokenizer, config } = model;
  if (tokenizer === undefined) {
    throw expected("a model with a tokenizer (forward takes ids)", "classify", undefined);
  }
  const isOne = typeof value === "string";
  if (!isOne && (!Array.isArray(value) || value.length === 0)) {
    throw expected("a text or an array of at least one text", "texts", value);
  }
  const texts: readonly unknown[] = isOne ? [value] : value;
  const groups = new Map<string, EncodedText[]>();
  // `from`, and not `map`, because an array may have holes.
  for (const [index, text] of Array.from(texts).entries()) {
    const name = isOne ? "texts" : `texts[${index}]`;
    if (typeof text !== "string") throw expected("a string", name, text);
    const encoding = tokenizer.encodeText(text, name);
    const wrong = encoding.ids.find((id) => id >= config.vocabSize);
    if (wrong !== undefined) {
      const what = `a tokenizer of ids from 0 to ${config.vocabSize - 1}`;
      throw expected(what, name, wrong, "ERR_TOKEN_OUT_OF_RANGE");
    }
    const key = model.kind === "sequenceClassification" ? rowKind(encoding.ids, tokenizer.padTokenId, config) : "";
    const group = groups.get(key) ?? [];
    group.push({ index, text, encoding });
    groups.set(key, group);
  }
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / batchSize) }, (_, batch) => {
      const members = group.slice(batch * batchSize, (batch + 1) * batchSize);
      const rows = members.map(({ encoding }) => encoding.ids);
      const source = padRows(rows, tokenizer.padTokenId);
      checkAttention(source.batch, source.length, model, "texts");
      return { texts: members, request: requestOf(source, model) };
    }),
  );
}

/** Equal for rows that a classifier of texts takes at once. Padding with the end-of-sequence id adds ends. */
function rowKind(ids: Int32Array, padTokenId: number, { eosTokenId }: ModelHandle["config"]): string {
  return `${endsOf(ids, eosTokenId)} ${padTokenId === eosTokenId ? ids.length : ""}`;
}

function endsOf(ids: Int32Array, eosTokenId: number): number {
  return ids.reduce((count, id) => count + (id === eosTokenId ? 1 : 0), 0);
}
