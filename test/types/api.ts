// Compiled, never run: what the types of the package accept, and what they refuse.
import {
  type CachedModel,
  cachedModels,
  type DecodingSession,
  type DownloadProgress,
  deleteCachedModel,
  downloadModel,
  type EncoderOutput,
  type EntityGroup,
  type FinishReason,
  type ForwardOptions,
  type ForwardResult,
  type GenerateOptions,
  type GenerateResult,
  type GenerationConfig,
  type Head,
  type LabelScore,
  type LogitsProcessor,
  type ModelKind,
  type ModelLimits,
  type Precision,
  type ReplicaStats,
  type readModelKind,
  T5EncoderModel,
  T5Error,
  type T5ErrorCode,
  T5ForConditionalGeneration,
  T5ForSequenceClassification,
  type T5ForTokenClassification,
  T5Tokenizer,
  Tensor,
  type TokenLabel,
  type TokenLogProb,
  type TopK,
} from "torch-t5";

/** Whether two types are the same. `any` is the same as `any` only. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

function isTrue<Value extends true>(): Value | undefined {
  return undefined;
}

declare const t5: T5ForConditionalGeneration;
declare const encoder: T5EncoderModel;
declare const textClassifier: T5ForSequenceClassification;
declare const tokenClassifier: T5ForTokenClassification;
declare const anyOptions: ForwardOptions;
declare const anyGenerateOptions: GenerateOptions;
declare const encoded: EncoderOutput;
declare const session: DecodingSession;
declare const head: Head;

export async function encoders(): Promise<void> {
  const { lastHiddenState } = await encoder.forward("text");
  lastHiddenState satisfies Tensor<Float32Array>;
  (await encoder.encode(["text"])) satisfies EncoderOutput;
  (await encoder.embed("text", { pooling: "mean", normalize: true })) satisfies Tensor;
  encoder.embeddingConfig?.prompts.query satisfies string | undefined;
  (await encoder.embed("text", { promptName: "query" })) satisfies Tensor;
  (await T5EncoderModel.fromPretrained("directory", { precision: "int8" })) satisfies T5EncoderModel;
  // @ts-expect-error an encoder has no decoder
  encoder.generate;
  // @ts-expect-error an encoder reads no target
  encoder.forward({ text: "a", target: "b" });
  // @ts-expect-error an encoder has no logits to select
  encoder.forward("a", { topK: 3 });
}

export async function classifiers(): Promise<void> {
  (await T5ForSequenceClassification.fromPretrained("directory")) satisfies T5ForSequenceClassification;
  (await textClassifier.forward(["text"])).logits satisfies Tensor<Float32Array>;
  (await textClassifier.classify("text", { topK: 2, functionToApply: "sigmoid" })) satisfies readonly LabelScore[];
  (await textClassifier.classify(["text"])) satisfies readonly (readonly LabelScore[])[];
  textClassifier.config.id2label[0] satisfies string | undefined;
  textClassifier.config.numLabels satisfies number;
  (await tokenClassifier.classify("text")) satisfies readonly TokenLabel[];
  (await tokenClassifier.classify("text", { aggregationStrategy: "none" })) satisfies readonly TokenLabel[];
  (await tokenClassifier.classify("text", { aggregationStrategy: "simple" })) satisfies readonly EntityGroup[];
  (await tokenClassifier.classify(["text"], { ignoreLabels: [] })) satisfies readonly (readonly TokenLabel[])[];
  // @ts-expect-error a classifier generates nothing
  textClassifier.generate;
  // @ts-expect-error a classifier embeds nothing
  tokenClassifier.embed;
  // @ts-expect-error not a function of the pipeline
  textClassifier.classify("text", { functionToApply: "relu" });
  // @ts-expect-error a classifier of texts has no tokens to aggregate
  textClassifier.classify("text", { aggregationStrategy: "simple" });
  // @ts-expect-error needs words, which T5's tokenizer doesn't know
  tokenClassifier.classify("text", { aggregationStrategy: "first" });
}

export async function results(): Promise<void> {
  const all = await t5.forward("text");
  all.logits satisfies Tensor<Float32Array>;
  // @ts-expect-error values need topK
  all.values;
  // @ts-expect-error the loss was not requested
  all.loss;
  // @ts-expect-error hidden states were not requested
  all.encoderLastHiddenState;

  const top = await t5.forward(["text"], { topK: 5 });
  top.values satisfies Tensor<Float32Array>;
  top.indices satisfies Tensor<Int32Array>;
  // @ts-expect-error topK replaces the logits
  top.logits;

  const more = await t5.forward({ text: "a", target: "b" }, { loss: true, hiddenStates: true, positions: "last" });
  more.loss satisfies number;
  more.logits satisfies Tensor;
  more.encoderLastHiddenState satisfies Tensor;
  more.decoderLastHiddenState satisfies Tensor;

  const layers = await t5.forward("a", { outputHiddenStates: true, outputAttentions: true });
  layers.encoderHiddenStates satisfies readonly Tensor[];
  layers.decoderHiddenStates satisfies readonly Tensor[];
  layers.encoderAttentions satisfies readonly Tensor[];
  layers.decoderAttentions satisfies readonly Tensor[];
  layers.crossAttentions[0] satisfies Tensor | undefined;
  // @ts-expect-error attentions were not requested
  more.crossAttentions;

  const less = await t5.forward("a", { loss: false, hiddenStates: false, signal: AbortSignal.timeout(1) });
  less.logits satisfies Tensor;
  // @ts-expect-error the loss is off
  less.loss;

  const unknown = await t5.forward("a", anyOptions);
  // @ts-expect-error it depends on the options
  unknown.logits;
  if ("logits" in unknown) unknown.logits satisfies Tensor;
  else if ("values" in unknown) unknown.values satisfies Tensor;
  else unknown.headOutput satisfies Tensor;
  isTrue<Same<typeof unknown.loss, number | undefined>>();

  isTrue<Same<ForwardResult["logits"], Tensor>>();
  isTrue<Same<Awaited<ReturnType<typeof all.logits.argmax>>["data"], Int32Array>>();
}

export async function inputs(): Promise<void> {
  const shape = [1, 2] as const;
  await t5.forward({ inputIds: [[1, 2]] });
  await t5.forward({ inputIds: [[1n, 2n]], attentionMask: [[1, 1]], decoderInputIds: [[0]] });
  await t5.forward({ inputIds: [Int32Array.of(1, 2)], labels: [[-100]] }, { loss: true });
  await t5.forward({ inputIds: { data: Int32Array.of(1, 2), shape }, labels: { data: BigInt64Array.of(1n), shape } });
  await t5.forward({ inputIds: new Tensor(Int32Array.of(1, 2), shape) });
  await t5.forward({ text: ["a"], target: ["b"] });
  await t5.forward({ text: "a", labels: [[1]] });
  if (t5.tokenizer) await t5.forward({ ...t5.tokenizer.encodeBatch(["a"]), decoderInputIds: [[0]] });

  // @ts-expect-error a number is not an input
  await t5.forward(1);
  // @ts-expect-error the encoder has no input
  await t5.forward({ target: "b" });
  // @ts-expect-error two sources
  await t5.forward({ text: "a", inputIds: [[1]] });
  // @ts-expect-error two targets
  await t5.forward({ text: "a", target: "b", labels: [[1]] });
  // @ts-expect-error two decoder inputs
  await t5.forward({ inputIds: [[1]], labels: [[1]], decoderInputIds: [[1]] });
  // @ts-expect-error a flat array has no shape
  await t5.forward({ inputIds: Int32Array.of(1) });
  // @ts-expect-error floats are not ids
  await t5.forward({ inputIds: { data: Float32Array.of(1), shape: [1, 1] } });
  // @ts-expect-error an unknown option
  await t5.forward("a", { topk: 1 });
  // @ts-expect-error an unknown option beside a known one
  await t5.forward("a", { topK: 1, positoins: "last" });
  // @ts-expect-error another kind of positions
  await t5.forward("a", { positions: "first" });
}

export async function heads(): Promise<void> {
  const { headOutput, loss, ...others } = await t5.forward({ text: "a", target: "b" }, { head, loss: true });
  headOutput satisfies Tensor;
  loss satisfies number;
  // @ts-expect-error a head's output replaces the logits
  others.logits;
  using loaded = await t5.loadHead(new URL("file:///head.pt"), { signal: AbortSignal.timeout(1) });
  loaded.inputs satisfies readonly string[];
  // @ts-expect-error use loadHead
  new (loaded.constructor as typeof Head)();
}

export async function decoding(): Promise<void> {
  const made = await t5.encode({ text: ["a", "b"] }, { signal: AbortSignal.timeout(1) });
  made.shape satisfies readonly [number, number, number];
  using decoder = made.startDecoding({ maxLength: 5 });
  decoder.position satisfies number;
  (await decoder.prefill([[1, 2]], { positions: "last" })).logits satisfies Tensor;
  const { values, decoderLastHiddenState, ...others } = await session.step([[1]], { topK: 2, hiddenStates: true });
  values satisfies Tensor;
  decoderLastHiddenState satisfies Tensor;
  // @ts-expect-error the encoder ran before
  others.encoderLastHiddenState;
  const step = await session.step([[1]], { outputAttentions: true });
  step.crossAttentions satisfies readonly Tensor[];
  // @ts-expect-error the encoder ran before
  step.encoderAttentions;
  session.reorder(Int32Array.of(0));
  session.fork() satisfies DecodingSession;
  // @ts-expect-error a step has one position
  await session.step([[1]], { positions: "last" });
  // @ts-expect-error a session has no labels
  await session.prefill([[1]], { loss: true });
  // @ts-expect-error it is read-only
  session.position = 1;
  // @ts-expect-error encode reads texts or ids
  await t5.encode(encoded);
  // @ts-expect-error forward encodes by itself
  await t5.forward(encoded);
}

export async function generation(): Promise<void> {
  const plain = await t5.generate("a");
  plain.sequences satisfies Tensor<Int32Array>;
  plain.texts satisfies readonly string[] | undefined;
  plain.finishReasons satisfies readonly FinishReason[];
  plain.lengths satisfies readonly number[];
  // @ts-expect-error logits were not requested
  plain.logits;
  // @ts-expect-error scores were not requested
  plain.scores;
  // @ts-expect-error log-probabilities were not requested
  plain.logProbs;

  const { logProbs, topLogProbs } = await t5.generate("a", { logProbs: 0 });
  logProbs satisfies Tensor;
  topLogProbs satisfies TopK;

  const more = await t5.generate(encoded, { returnLogits: true, returnScores: true, numBeams: 2, seed: 1n });
  more.logits satisfies readonly Tensor[];
  more.scores satisfies readonly Tensor[];
  more.transitionScores satisfies Tensor;
  more.sequenceScores satisfies Tensor | undefined;
  more satisfies GenerateResult;

  const unknown = await t5.generate({ encoderOutput: encoded, decoderInputIds: [[0]] }, anyGenerateOptions);
  isTrue<Same<typeof unknown.logits, readonly Tensor[] | undefined>>();
  isTrue<Same<typeof unknown.logProbs, Tensor | undefined>>();

  await t5.generate({ inputIds: [[1]], decoderInputIds: [[0]] }, { eosTokenId: [1, 2], earlyStopping: "never" });
  await t5.generate("a", { sequenceBias: [[[1, 2], -1]], exponentialDecayLengthPenalty: [3, 1.5] });
  await t5.generate("a", {
    logitsProcessor: ({ sequences, logits, step }) => {
      sequences satisfies Tensor<Int32Array>;
      logits.data[0] = step;
    },
  });
  const processor: LogitsProcessor = async () => {};
  await t5.generate("a", { logitsProcessor: processor });
  // @ts-expect-error an unknown option
  await t5.generate("a", { num_beams: 1 });
  // @ts-expect-error an unknown option beside a known one
  await t5.generate("a", { numBeams: 1, maxTokens: 3 });
  // @ts-expect-error another kind of early stopping
  await t5.generate("a", { earlyStopping: "always" });
  // @ts-expect-error targets are for forward
  await t5.generate({ text: "a", target: "b" });
  // @ts-expect-error two sources
  await t5.generate({ text: "a", encoderOutput: encoded });

  for await (const token of t5.stream("a", { doSample: true, seed: 1 })) {
    token.row satisfies number;
    token.tokenId satisfies number;
    token.text satisfies string;
    isTrue<Same<typeof token.finishReason, "eos" | "stop" | "length" | "time" | undefined>>();
    // @ts-expect-error logits were not requested
    token.logits;
    // @ts-expect-error log-probabilities were not requested
    token.logProb;
  }
  for await (const { logProb, topLogProbs } of t5.stream("a", { logProbs: 3 })) {
    logProb satisfies number;
    topLogProbs satisfies readonly TokenLogProb[];
  }
  for await (const { logits } of t5.stream(encoded, { returnLogits: true })) logits satisfies Tensor;
  for await (const { row } of t5.stream({ text: ["a", "b"] }, { doSample: true, numReturnSequences: 2 })) {
    row satisfies number;
  }
}

export async function truncating(): Promise<void> {
  (await t5.forward({ text: "a", target: "b", maxLength: 5 })).truncated satisfies readonly boolean[] | undefined;
  (await t5.generate({ text: "a", truncation: true })).truncated satisfies readonly boolean[] | undefined;
  t5.stream({ text: "a", maxLength: 5 }).truncated satisfies readonly boolean[] | undefined;
  (await t5.encode({ text: "a", maxLength: 5 })).truncated satisfies readonly boolean[] | undefined;
  // @ts-expect-error ids are taken as they are
  await t5.forward({ inputIds: [[1]], maxLength: 5 });
  // @ts-expect-error it isn't an option of the call
  await t5.forward("a", { maxLength: 5 });
}

export async function judging(): Promise<void> {
  const embedded = await t5.embed({ text: ["a"], maxLength: 5 });
  const [first] = await t5.score("a", ["b"]);
  first?.score satisfies number | undefined;
  for (const { score, logProbs, ids } of await t5.score(["a", "b"], [[1], Int32Array.of(1, 2)], {
    reduction: "mean",
  })) {
    score satisfies number;
    logProbs satisfies Float32Array;
    ids satisfies Int32Array;
  }
  for (const { score } of await t5.score(encoded, ["b"], { reduction: "none" })) score satisfies undefined;
  // @ts-expect-error no such reduction
  await t5.score("a", ["b"], { reduction: "max" });
  // @ts-expect-error targets are an array
  await t5.score("a", "b");

  for (const { index, probability, score, document } of await t5.rerank("a", new Set(["b"]), { topN: 1 })) {
    [index, probability, score] satisfies number[];
    document satisfies string;
  }
  await t5.rerank("a", ["b"], { template: (query, document) => query + document, trueToken: 5, falseToken: "no" });
  // @ts-expect-error documents are texts
  await t5.rerank("a", [1]);

  for (const { truncated } of await t5.rerank("a", ["b"], { pairwise: true, maxLength: 9, truncation: true })) {
    truncated satisfies boolean | undefined;
  }
  await t5.rerank("a", ["b"], { pairwise: true, template: (query, first, second) => query + first + second });
  // @ts-expect-error true or false
  await t5.rerank("a", ["b"], { pairwise: 1 });
  (await t5.score({ text: "a", maxLength: 5 }, ["b"], { addSpecialTokens: false }))[0]?.truncated satisfies
    | boolean
    | undefined;

  (await t5.embed(["a", "b"], { pooling: "first", normalize: true })) satisfies Tensor;
  isTrue<Same<typeof embedded.truncated, readonly boolean[] | undefined>>();
  await t5.embed(encoded);
  (await t5.embed("a", { pooling: ["cls", "max"], dense: false, prompt: "query: " })) satisfies Tensor;
  // @ts-expect-error no such pooling
  await t5.embed("a", { pooling: "median" });
}

export async function loading(): Promise<void> {
  await using loaded = await T5ForConditionalGeneration.fromPretrained(new URL("file:///model"), {
    device: "cuda:1",
    precision: "exact",
    intraOpThreads: 2,
    maxQueueLength: 8,
  });
  loaded.config.decoderStartTokenId satisfies number;
  loaded.generationConfig satisfies GenerationConfig;
  loaded.device satisfies string;
  // @ts-expect-error it may have been exported without a tokenizer
  loaded.tokenizer.encode("a");
  // @ts-expect-error it is read-only
  loaded.config.vocabSize = 1;
  // @ts-expect-error use fromPretrained
  new T5ForConditionalGeneration();
  // @ts-expect-error another device
  await T5ForConditionalGeneration.fromPretrained("model", { device: "tpu" });
  for (const precision of ["exact", "float32", "bfloat16", "int8"] as const) {
    await T5ForConditionalGeneration.fromPretrained("model", { precision, batchInvariant: precision !== "exact" });
  }
  isTrue<Same<typeof loaded.precision, Precision>>();
  isTrue<Same<Precision, "exact" | "float32" | "bfloat16" | "int8">>();
  // @ts-expect-error T5 overflows in float16
  await T5ForConditionalGeneration.fromPretrained("model", { precision: "float16" });
  // @ts-expect-error true or false
  await T5ForConditionalGeneration.fromPretrained("model", { batchInvariant: "yes" });
  await T5ForConditionalGeneration.fromPretrained("model", { batching: true, replicas: ["cuda:0", "cuda:1", "cpu"] });
  // @ts-expect-error a device must be named
  await T5ForConditionalGeneration.fromPretrained("model", { replicas: ["auto"] });
  const { replicas, limits } = loaded.stats();
  isTrue<Same<(typeof replicas)[number], ReplicaStats>>();
  isTrue<Same<typeof limits, ModelLimits>>();
}

export async function hub(): Promise<void> {
  const options = {
    revision: "main",
    signal: AbortSignal.timeout(1),
    cacheDir: new URL("file:///cache"),
    localFilesOnly: false,
    progress: ({ file, overall }: DownloadProgress) => {
      file satisfies string;
      overall.totalBytes satisfies number;
      // @ts-expect-error it is read-only
      overall.totalBytes = 1;
    },
  } as const;
  await T5ForConditionalGeneration.fromPretrained("org/model", { ...options, precision: "int8" });
  await T5Tokenizer.fromPretrained("org/model", options);
  (await downloadModel("org/model", options)) satisfies string;
  isTrue<Same<Awaited<ReturnType<typeof readModelKind>>, ModelKind>>();
  // @ts-expect-error no option of a download
  await downloadModel("org/model", { precision: "int8" });
  // @ts-expect-error a function
  await downloadModel("org/model", { progress: true });
  (await cachedModels()) satisfies readonly CachedModel[];
  (await deleteCachedModel("org/model", { cacheDir: "/cache" })) satisfies number;
}

export async function others(): Promise<void> {
  using tensor = new Tensor(Float32Array.of(1), [1, 1]);
  tensor.row(0) satisfies Float32Array;
  tensor.softmax() satisfies Tensor;
  isTrue<Same<typeof tensor.shape, readonly number[]>>();
  // @ts-expect-error integers have no softmax
  tensor.argmax().softmax();
  // @ts-expect-error it is read-only
  tensor.shape[0] = 2;

  const tokenizer = await T5Tokenizer.fromPretrained("model");
  tokenizer.encode("a").ids satisfies Int32Array;
  tokenizer.encodeBatch(["a"], { maxLength: 3 }).shape satisfies readonly [number, number];
  tokenizer.encode("a", { truncation: true, addSpecialTokens: false }).truncated satisfies boolean | undefined;
  tokenizer.encodeBatch(["a"], { maxLength: 3 }).truncated satisfies readonly boolean[] | undefined;
  tokenizer.modelMaxLength satisfies number | undefined;
  tokenizer.countTokens("a", { addSpecialTokens: false }) satisfies number;
  await t5.forward(tokenizer.encodeBatch(["a"], { maxLength: 3 }));
  tokenizer.decode([1], { skipSpecialTokens: true }) satisfies string;
  tokenizer.batchDecode([[1], Int32Array.of(1)]) satisfies readonly string[];

  const error = new T5Error("ERR_INTERNAL", "message");
  error.code satisfies T5ErrorCode;
  // @ts-expect-error no such code
  error.code === "ERR_OTHER";
}
