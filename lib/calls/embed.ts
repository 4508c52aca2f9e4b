// `embed`: one vector per text, as sentence-transformers makes it of the encoder's output.
import { encodeSource, readFields, readSourceIds, SOURCE_FIELDS, type Texts } from "../inputs/source.js";
import { POOLINGS, type Pooling } from "../loading/embedding.js";
import type { NativeDense, NativeEmbedRequest, NativeScheduling, NativeTensor } from "../native/types.js";
import type { PaddedBatch } from "../tokenizer/padded-batch.js";
import { CALL_OPTIONS, readControl } from "../util/call-control.js";
import { type CallOptions, checkBatchSize, readOptions } from "../util/call-options.js";
import type { Sliced } from "../util/slices.js";
import { Tensor } from "../util/tensor.js";
import { checkChoice, checkFlag, expected, INT32_MAX, refused } from "../util/validation.js";
import type { Call, ModelHandle } from "./call.js";
import { batchOf, EncoderOutput, type EncoderSource, type ReadSource } from "./encoder-output.js";
import { truncationOf } from "./results.js";

/** The options of `embed`. Those that aren't given are as the model's directory states, if it states them. */
export interface EmbedOptions extends CallOptions {
  /**
   * How hidden states become one vector, by the names of sentence-transformers: "mean" is the mean over the positions
   * whose mask is 1, "first" the first position. The vectors of several are concatenated. Default: the model's, else
   * "mean".
   */
  readonly pooling?: Pooling | readonly Pooling[] | undefined;
  /** Whether the dense modules of the model are applied. Default: true if it has any. */
  readonly dense?: boolean | undefined;
  /** Whether each vector is scaled to Euclidean length 1. Default: as the model's modules do, else false. */
  readonly normalize?: boolean | undefined;
  /** A text that precedes every text of the source; "" for none. Default: the model's default prompt. */
  readonly prompt?: string | undefined;
  /** The name of one of the model's prompts. */
  readonly promptName?: string | undefined;
  /** Rows that go through the encoder at once; texts are padded to the longest of them. Default: 32. */
  readonly batchSize?: number | undefined;
}

/** The vectors that `embed` resolves to, `[batch, columns]`. */
export class Embeddings extends Tensor {
  /** Whether each text was truncated, `[batch]`; undefined where neither source nor model has a maximum length. */
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

/** Embeds with the model of `call`: `[batch, columns]`. */
export async function embed(call: Call, source: unknown, options: unknown): Promise<Embeddings> {
  const { model } = call;
  const { settings, batchSize, control } = call.read(() => readEmbedOptions(options, model));
  call.check(control);
  const { batches: read, promptLength } = call.read(() => readBatches(source, settings, batchSize, model));
  const { pooling, layers, columns } = settings;
  const pass = (scheduling: NativeScheduling, batch: EncoderSource) =>
    model.native.embed({ scheduling, source: batch, pooling, promptLength, layers });
  let others: readonly EncoderSource[] = [];
  let truncated: readonly boolean[] | undefined;
  const first = await call.runSliced(control, prepareBatches(read, model), (scheduling, batches) => {
    const [batch, ...rest] = batches;
    others = rest;
    truncated = truncatedOf(batches);
    return pass(scheduling, batch);
  });
  if (others.length === 0) return new Embeddings(first.data, first.shape, truncated, model.release);
  const rows = read.reduce((sum, batch) => sum + batchOf(batch), 0);
  const all = new Float32Array(rows * columns);
  let end = 0;
  const take = ({ data }: NativeTensor<Float32Array>) => {
    all.set(data, end);
    end += data.length;
    model.release(data.buffer);
  };
  take(first);
  for (const batch of others) take(await call.run(control, (scheduling) => pass(scheduling, batch)));
  return new Embeddings(all, [rows, columns], truncated);
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

/** How one call embeds. */
interface Settings {
  readonly pooling: readonly Pooling[];
  readonly layers: NativeEmbedRequest["layers"];
  /** The length of a vector. */
  readonly columns: number;
  readonly prompt: string;
  /** Whether the call names the prompt, which it can for texts only. */
  readonly isPromptGiven: boolean;
}

const EMBED_OPTIONS = ["pooling", "dense", "normalize", "prompt", "promptName", "batchSize", ...CALL_OPTIONS] as const;

/** The options as the caller gave them. */
type EmbedFields = Readonly<Partial<Record<(typeof EMBED_OPTIONS)[number], unknown>>>;

function readEmbedOptions(options: unknown, model: ModelHandle) {
  const given: EmbedFields = readOptions(options, EMBED_OPTIONS);
  const pooling = given.pooling === undefined ? undefined : checkPooling(given.pooling);
  return {
    settings: {
      ...readLayers(given, pooling ?? model.embedding?.config.pooling ?? ["mean"], model),
      prompt: readPrompt(given, model),
      isPromptGiven: given.prompt !== undefined || given.promptName !== undefined,
    },
    batchSize: checkBatchSize(given.batchSize),
    control: readControl(given),
  };
}

function checkPooling(value: unknown): readonly Pooling[] {
  if (!Array.isArray(value)) return [checkChoice(value, "options.pooling", POOLINGS)];
  if (value.length === 0) throw expected("at least one pooling", "options.pooling", value);
  return Array.from(value, (one: unknown, index) => checkChoice(one, `options.pooling[${index}]`, POOLINGS));
}

/** The modules that a call applies, and the length of the vectors. */
function readLayers(given: EmbedFields, pooling: readonly Pooling[], { config, embedding }: ModelHandle) {
  const { dense, normalize } = given;
  const modules = embedding?.config.modules ?? [];
  if (checkFlag(dense, "options.dense") && !modules.some(({ type }) => type === "dense")) {
    throw refused("false or nothing", "options.dense", "true, but the model has no dense modules");
  }
  const normalizes = normalize === undefined ? undefined : checkFlag(normalize, "options.normalize");
  const layers: (NativeDense | "normalize")[] = [];
  let columns = config.dModel * pooling.length;
  for (const [index, module] of modules.entries()) {
    const layer = embedding?.layers[index] ?? "normalize";
    if (module.type === "normalize") {
      if (normalizes !== false) layers.push(layer);
      continue;
    }
    if (dense === false) continue;
    if (module.inputs !== columns) {
      const what = `poolings with ${module.inputs} numbers in all, as the model's dense module reads (or dense: false),`;
      throw expected(what, "options.pooling", columns);
    }
    layers.push(layer);
    columns = module.outputs;
  }
  if (normalizes && layers.at(-1) !== "normalize") layers.push("normalize");
  return { pooling, layers, columns };
}

/** The prompt of a call; "" for none. */
function readPrompt({ prompt, promptName }: EmbedFields, { embedding }: ModelHandle): string {
  const { prompts = {}, defaultPromptName } = embedding?.config ?? {};
  if (prompt !== undefined) {
    if (typeof prompt !== "string") throw expected("a string", "options.prompt", prompt);
    if (promptName !== undefined) {
      throw expected("nothing, as options.prompt is given,", "options.promptName", promptName);
    }
    return prompt;
  }
  if (promptName === undefined) return defaultPromptName === undefined ? "" : (prompts[defaultPromptName] ?? "");
  if (typeof promptName === "string" && Object.hasOwn(prompts, promptName)) return prompts[promptName] ?? "";
  const names = Object.keys(prompts).map((name) => JSON.stringify(name));
  const what = names.length === 0 ? "nothing, as the model has no prompts," : `one of ${names.join(", ")}`;
  throw expected(what, "options.promptName", promptName);
}

/** The batches of a source, and the number of ids at the beginning of each row that are a prompt and not pooled. */
interface ReadBatches {
  readonly batches: Batches<ReadSource>;
  readonly promptLength: number;
}

/** Copies the source. */
function readBatches(value: unknown, settings: Settings, batchSize: number, model: ModelHandle): ReadBatches {
  const { prompt, isPromptGiven } = settings;
  const source = EncoderOutput.is(value)
    ? value.nativeFor(model, "source")
    : readSourceIds(readFields(value, "source", SOURCE_FIELDS), model, "source");
  if (!("texts" in source)) {
    if (isPromptGiven) throw expected("texts, as a prompt is given,", "source", value);
    return { batches: inBatches(source, batchSize, settings), promptLength: 0 };
  }
  const maxLength = source.maxLength ?? model.embedding?.config.maxSeqLength;
  const texts = prompt === "" ? source.texts : source.texts.map((text) => prompt + text);
  return {
    batches: inBatches({ ...source, texts, maxLength }, batchSize, settings),
    promptLength: promptLengthOf(prompt, model, maxLength),
  };
}

/** As sentence-transformers counts: the ids of the prompt alone, without the end of the sequence. */
function promptLengthOf(prompt: string, { tokenizer, embedding }: ModelHandle, maxLength: number | undefined): number {
  if (prompt === "" || tokenizer === undefined || embedding === undefined || embedding.config.includePrompt) return 0;
  const { ids } = tokenizer.encode(prompt, { maxLength });
  return ids.at(-1) === tokenizer.eosTokenId ? ids.length - 1 : ids.length;
}

function inBatches(source: ReadSource, batchSize: number, settings: Settings): Batches<ReadSource> {
  const rows = batchOf(source);
  checkRows(rows, settings);
  if (rows <= batchSize || !("texts" in source || "inputIds" in source)) return [source];
  const take = (begin: number) => {
    const end = Math.min(rows, begin + batchSize);
    return "texts" in source ? takeTexts(source, begin, end) : takeRows(source, begin, end);
  };
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

function checkRows(rows: number, { columns }: Settings): void {
  if (rows * columns > INT32_MAX) {
    throw expected(`at most ${Math.floor(INT32_MAX / columns)} rows`, "source", rows);
  }
}
