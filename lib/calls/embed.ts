// `embed`: one vector per text, pooled from the encoder's output as Sentence-T5 (Ni et al., 2021) does.
import { encodeTexts, readFields, readSourceIds, readSourceLength, SOURCE_FIELDS } from "../inputs/source.js";
import type { PaddedBatch } from "../tokenizer/padded-batch.js";
import { checkBatchSize, checkSignal, readOptions, type SignalOption } from "../util/call-options.js";
import { Tensor } from "../util/tensor.js";
import { checkChoice, checkFlag, expected, INT32_MAX } from "../util/validation.js";
import { type Call, type ModelHandle, throwIfAborted } from "./call.js";
import { batchOf, EncoderOutput, type EncoderSource } from "./encoder-output.js";
import { truncationOf } from "./results.js";

/** How the encoder's output becomes one vector. */
export const POOLINGS = ["mean", "first"] as const;

/** The options of `embed`. */
export interface EmbedOptions extends SignalOption {
  /** "mean": the mean over the positions whose mask is 1. "first": the first position. Default: "mean". */
  readonly pooling?: (typeof POOLINGS)[number] | undefined;
  /** Scale each vector to Euclidean length 1. Default: false. */
  readonly normalize?: boolean | undefined;
  /** Rows that go through the encoder at once; texts are padded to the longest of them. Default: 32. */
  readonly batchSize?: number | undefined;
}

/** The vectors that `embed` resolves to, `[batch, dModel]`. */
export class Embeddings extends Tensor {
  /** Whether each text of the source was truncated, `[batch]`; undefined where the source has no `maxLength`. */
  readonly truncated: readonly boolean[] | undefined;

  /** As `Tensor`. @internal */
  constructor(
    data: Float32Array,
    shape: readonly number[],
    truncated: readonly boolean[] | undefined,
    release?: (buffer: ArrayBufferLike) => void,
  ) {
    super(data, shape, release);
    this.truncated = truncated && Object.freeze([...truncated]);
  }
}

/** Embeds with the model of `call`: `[batch, dModel]`. */
export async function embed(call: Call, source: unknown, options: unknown): Promise<Embeddings> {
  const { model } = call;
  const { pooling, normalize, batchSize, signal } = call.read(() => readEmbedOptions(options));
  throwIfAborted(signal);
  const batches = call.read(() => readBatches(source, batchSize, model));
  const run = (batch: EncoderSource) =>
    call.run(signal, (id) => model.native.embed({ id, source: batch, pooling, normalize }));
  const [first, ...others] = batches;
  if (first === undefined) throw expected("at least one text", "source", source);
  if (others.length === 0) {
    const { data, shape } = await run(first);
    return new Embeddings(data, shape, truncationOf(first).truncated, model.release);
  }
  const { dModel } = model.config;
  const rows = batches.reduce((sum, batch) => sum + batchOf(batch), 0);
  const all = new Float32Array(rows * dModel);
  let end = 0;
  for (const batch of batches) {
    const { data } = await run(batch);
    all.set(data, end);
    end += data.length;
    model.release(data.buffer);
  }
  const truncated = batches.flatMap((batch) => truncationOf(batch).truncated ?? []);
  return new Embeddings(all, [rows, dModel], truncated.length === rows ? truncated : undefined);
}

function readEmbedOptions(options: unknown) {
  const given = readOptions(options, ["pooling", "normalize", "batchSize", "signal"]);
  const { pooling = "mean" } = given;
  return {
    pooling: checkChoice(pooling, "options.pooling", POOLINGS),
    normalize: checkFlag(given.normalize, "options.normalize"),
    batchSize: checkBatchSize(given.batchSize),
    signal: checkSignal(given.signal),
  };
}

function readBatches(value: unknown, batchSize: number, model: ModelHandle): readonly EncoderSource[] {
  if (EncoderOutput.is(value)) return [value.nativeFor(model, "source")];
  const fields = readFields(value, "source", SOURCE_FIELDS);
  const { text, maxLength, truncation, ...others } = fields;
  const isWhole = !Array.isArray(text) || text.length <= batchSize;
  if (!isWhole && Object.values(others).every((other) => other === undefined)) {
    return textBatches(text, readSourceLength({ maxLength, truncation }, "source", model), batchSize, model);
  }
  return rowBatches(readSourceIds(fields, model, "source"), batchSize, model);
}

/** Tokenizes and pads texts batch by batch. */
function textBatches(
  texts: readonly unknown[],
  maxLength: number | undefined,
  batchSize: number,
  model: ModelHandle,
): readonly EncoderSource[] {
  checkRows(texts.length, model);
  for (const [index, text] of texts.entries()) {
    if (typeof text !== "string") throw expected("a string", `text[${index}]`, text);
  }
  const batches: EncoderSource[] = [];
  for (let begin = 0; begin < texts.length; begin += batchSize) {
    batches.push(encodeTexts(texts.slice(begin, begin + batchSize), `text from ${begin} on`, model, { maxLength }));
  }
  return batches;
}

function rowBatches(ids: PaddedBatch, batchSize: number, model: ModelHandle): readonly EncoderSource[] {
  const { batch, length, inputIds, attentionMask } = ids;
  checkRows(batch, model);
  if (batch <= batchSize) return [ids];
  return Array.from({ length: Math.ceil(batch / batchSize) }, (_, index) => {
    const rows = Math.min(batchSize, batch - index * batchSize);
    const begin = index * batchSize * length;
    const end = begin + rows * length;
    return {
      batch: rows,
      length,
      inputIds: inputIds.subarray(begin, end),
      attentionMask: attentionMask?.subarray(begin, end),
    };
  });
}

function checkRows(rows: number, { config }: ModelHandle): void {
  if (rows * config.dModel > INT32_MAX) {
    throw expected(`at most ${Math.floor(INT32_MAX / config.dModel)} rows`, "source", rows);
  }
}
