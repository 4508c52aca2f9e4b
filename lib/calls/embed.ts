// `embed`: one vector per text, pooled from the encoder's output as Sentence-T5 (Ni et al., 2021) does.
import { encodeSource, readFields, readSourceIds, SOURCE_FIELDS, type Texts } from "../inputs/source.js";
import type { NativeScheduling, NativeTensor } from "../native/types.js";
import type { PaddedBatch } from "../tokenizer/padded-batch.js";
import { checkBatchSize, checkSignal, readOptions, type SignalOption } from "../util/call-options.js";
import type { Sliced } from "../util/slices.js";
import { Tensor } from "../util/tensor.js";
import { checkChoice, checkFlag, expected, INT32_MAX } from "../util/validation.js";
import { type Call, type ModelHandle, throwIfAborted } from "./call.js";
import { batchOf, EncoderOutput, type EncoderSource, type ReadSource } from "./encoder-output.js";
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
  const read = call.read(() => readBatches(source, batchSize, model));
  const pass = (scheduling: NativeScheduling, batch: EncoderSource) =>
    model.native.embed({ scheduling, source: batch, pooling, normalize });
  let others: readonly EncoderSource[] = [];
  let truncated: readonly boolean[] | undefined;
  const first = await call.runSliced(signal, prepareBatches(read, model), (scheduling, batches) => {
    const [batch, ...rest] = batches;
    others = rest;
    truncated = truncatedOf(batches);
    return pass(scheduling, batch);
  });
  if (others.length === 0) return new Embeddings(first.data, first.shape, truncated, model.release);
  const { dModel } = model.config;
  const rows = read.reduce((sum, batch) => sum + batchOf(batch), 0);
  const all = new Float32Array(rows * dModel);
  let end = 0;
  const take = ({ data }: NativeTensor<Float32Array>) => {
    all.set(data, end);
    end += data.length;
    model.release(data.buffer);
  };
  take(first);
  for (const batch of others) take(await call.run(signal, (scheduling) => pass(scheduling, batch)));
  return new Embeddings(all, [rows, dModel], truncated);
}

type Batches<Batch> = readonly [Batch, ...(readonly Batch[])];

/** Tokenizes the batches that consist of texts. */
function* prepareBatches([first, ...others]: Batches<ReadSource>, model: ModelHandle): Sliced<Batches<EncoderSource>> {
  const prepared: [EncoderSource, ...EncoderSource[]] = [yield* encodeSource(first, model)];
  for (const batch of others) {
    yield;
    prepared.push(yield* encodeSource(batch, model));
  }
  return prepared;
}

/** Whether each text of all batches was truncated; undefined where none could be. */
function truncatedOf(batches: Batches<EncoderSource>): readonly boolean[] | undefined {
  const all = batches.map((batch) => truncationOf(batch).truncated);
  return all.includes(undefined) ? undefined : all.flatMap((truncated) => truncated ?? []);
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

/** Copies the source. */
function readBatches(value: unknown, batchSize: number, model: ModelHandle): Batches<ReadSource> {
  if (EncoderOutput.is(value)) return [value.nativeFor(model, "source")];
  const source = readSourceIds(readFields(value, "source", SOURCE_FIELDS), model, "source");
  const rows = batchOf(source);
  checkRows(rows, model);
  const take = (begin: number) => {
    const end = Math.min(rows, begin + batchSize);
    return "texts" in source ? takeTexts(source, begin, end) : takeRows(source, begin, end);
  };
  if (rows <= batchSize) return [source];
  const others = Array.from({ length: Math.ceil(rows / batchSize) - 1 }, (_, index) => take((index + 1) * batchSize));
  return [take(0), ...others];
}

/** Texts of one batch, which are padded to the longest of them. */
function takeTexts(source: Texts, begin: number, end: number): Texts {
  return { ...source, texts: source.texts.slice(begin, end), first: begin };
}

function takeRows({ length, inputIds, attentionMask }: PaddedBatch, begin: number, end: number): PaddedBatch {
  return {
    batch: end - begin,
    length,
    inputIds: inputIds.subarray(begin * length, end * length),
    attentionMask: attentionMask?.subarray(begin * length, end * length),
  };
}

function checkRows(rows: number, { config }: ModelHandle): void {
  if (rows * config.dModel > INT32_MAX) {
    throw expected(`at most ${Math.floor(INT32_MAX / config.dModel)} rows`, "source", rows);
  }
}
