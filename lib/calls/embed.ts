// `embed`: one vector per text, as sentence-transformers makes it of the encoder's output.

import { encodeTexts, readFields, readSourceIds, SOURCE_FIELDS } from "../inputs/source.js";
import { POOLINGS, type Pooling } from "../loading/embedding.js";
import type { NativeDense, NativeEmbedRequest } from "../native/types.js";
import type { PaddedBatch } from "../tokenizer/padded-batch.js";
import { checkBatchSize, checkSignal, readOptions, type SignalOption } from "../util/call-options.js";
import { Tensor } from "../util/tensor.js";
import { checkChoice, checkFlag, expected, INT32_MAX, refused } from "../util/validation.js";
import { type Call, type ModelHandle, throwIfAborted } from "./call.js";
import { batchOf, EncoderOutput, type EncoderSource, readSource } from "./encoder-output.js";
import { wrapTensor } from "./results.js";

/** The options of `embed`. Those that aren't given are as the model's export states, if it states them. */
export interface EmbedOptions extends SignalOption {
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

/** Embeds with the model of `call`: `[batch, columns]`. */
export async function embed(call: Call, source: unknown, options: unknown): Promise<Tensor> {
  const { model } = call;
  const { settings, batchSize, signal } = call.read(() => readEmbedOptions(options, model));
  throwIfAborted(signal);
  const { batches, promptLength } = call.read(() => readBatches(source, settings, batchSize, model));
  const { pooling, layers, columns } = settings;
  const run = (batch: EncoderSource) =>
    call.run(signal, (scheduling) =>
      model.native.embed({ scheduling, source: batch, pooling, promptLength, layers }),
    );
  const [first, ...others] = batches;
  if (first === undefined) throw expected("at least one text", "source", source);
  if (others.length === 0) return wrapTensor(await run(first), model.release);
  const rows = batches.reduce((sum, batch) => sum + batchOf(batch), 0);
  const all = new Float32Array(rows * columns);
  let end = 0;
  for (const batch of batches) {
    const { data } = await run(batch);
    all.set(data, end);
    end += data.length;
    model.release(data.buffer);
  }
  return new Tensor(all, [rows, columns]);
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

const EMBED_OPTIONS = ["pooling", "dense", "normalize", "prompt", "promptName", "batchSize", "signal"] as const;

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
    signal: checkSignal(given.signal),
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
interface Batches {
  readonly batches: readonly EncoderSource[];
  readonly promptLength: number;
}

function readBatches(value: unknown, settings: Settings, batchSize: number, model: ModelHandle): Batches {
  const { prompt, isPromptGiven } = settings;
  const fields = EncoderOutput.is(value) ? undefined : readFields(value, "source", SOURCE_FIELDS);
  if (isPromptGiven && fields?.text === undefined) {
    throw expected("texts, as a prompt is given,", "source", value);
  }
  if (fields === undefined) return { batches: [readSource(value, "source", model)], promptLength: 0 };
  const { text, ...others } = fields;
  if (text === undefined) {
    return { batches: rowBatches(readSourceIds(fields, model, "source"), batchSize, settings), promptLength: 0 };
  }
  const maxLength = model.embedding?.config.maxSeqLength;
  const prompted = withPrompt(text, prompt);
  const batches = Array.isArray(prompted)
    ? textBatches(prompted, others, batchSize, model, settings, maxLength)
    : undefined;
  return {
    batches:
      batches ??
      rowBatches(readSourceIds({ ...others, text: prompted }, model, "source", maxLength), batchSize, settings),
    promptLength: promptLengthOf(prompt, model, maxLength),
  };
}

/** The prompt before each text. */
function withPrompt(text: unknown, prompt: string): unknown {
  const add = (one: unknown) => (typeof one === "string" ? prompt + one : one);
  if (prompt === "") return text;
  return Array.isArray(text) ? Array.from(text, add) : add(text);
}

/** As sentence-transformers counts: the ids of the prompt alone, without the end of the sequence. */
function promptLengthOf(prompt: string, { tokenizer, embedding }: ModelHandle, maxLength: number | undefined): number {
  if (prompt === "" || tokenizer === undefined || embedding === undefined || embedding.config.includePrompt) return 0;
  const { ids } = tokenizer.encode(prompt, { maxLength });
  return ids.at(-1) === tokenizer.eosTokenId ? ids.length - 1 : ids.length;
}

/**
 * Tokenizes and pads texts batch by batch. Undefined if one batch holds them all, or if `others` has a field to refuse.
 */
function textBatches(
  texts: readonly unknown[],
  others: Readonly<Record<string, unknown>>,
  batchSize: number,
  model: ModelHandle,
  settings: Settings,
  maxLength: number | undefined,
): readonly EncoderSource[] | undefined {
  if (texts.length <= batchSize || Object.values(others).some((value) => value !== undefined)) return undefined;
  checkRows(texts.length, settings);
  for (const [index, text] of texts.entries()) {
    if (typeof text !== "string") throw expected("a string", `text[${index}]`, text);
  }
  const batches: EncoderSource[] = [];
  for (let begin = 0; begin < texts.length; begin += batchSize) {
    batches.push(encodeTexts(texts.slice(begin, begin + batchSize), `text from ${begin} on`, model, maxLength));
  }
  return batches;
}

function rowBatches(ids: PaddedBatch, batchSize: number, settings: Settings): readonly EncoderSource[] {
  const { batch, length, inputIds, attentionMask } = ids;
  checkRows(batch, settings);
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

function checkRows(rows: number, { columns }: Settings): void {
  if (rows * columns > INT32_MAX) {
    throw expected(`at most ${Math.floor(INT32_MAX / columns)} rows`, "source", rows);
  }
}
