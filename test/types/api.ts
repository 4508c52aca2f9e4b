// Compiled, never run: what the types of the package accept, and what they refuse.
import {
  type DecodingSession,
  type EncoderOutput,
  type FinishReason,
  type ForwardOptions,
  type ForwardResult,
  type GenerateOptions,
  type GenerateResult,
  type GenerationConfig,
  type Head,
  type LogitsProcessor,
  type Precision,
  T5Error,
  type T5ErrorCode,
  T5ForConditionalGeneration,
  T5Tokenizer,
  Tensor,
} from "torch-t5";

/** Whether two types are the same. `any` is the same as `any` only. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

function isTrue<Value extends true>(): Value | undefined {
  return undefined;
}

declare const t5: T5ForConditionalGeneration;
declare const anyOptions: ForwardOptions;
declare const anyGenerateOptions: GenerateOptions;
declare const encoded: EncoderOutput;
declare const session: DecodingSession;
declare const head: Head;

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

  const more = await t5.generate(encoded, { returnLogits: true, returnScores: true, numBeams: 2, seed: 1n });
  more.logits satisfies readonly Tensor[];
  more.scores satisfies readonly Tensor[];
  more.transitionScores satisfies Tensor;
  more.sequenceScores satisfies Tensor | undefined;
  more satisfies GenerateResult;

  const unknown = await t5.generate({ encoderOutput: encoded, decoderInputIds: [[0]] }, anyGenerateOptions);
  isTrue<Same<typeof unknown.logits, readonly Tensor[] | undefined>>();

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
  }
  for await (const { logits } of t5.stream(encoded, { returnLogits: true })) logits satisfies Tensor;
  for await (const { row } of t5.stream({ text: ["a", "b"] }, { doSample: true, numReturnSequences: 2 })) {
    row satisfies number;
  }
}

export async function judging(): Promise<void> {
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

  (await t5.embed(["a", "b"], { pooling: "first", normalize: true })) satisfies Tensor;
  await t5.embed(encoded);
  // @ts-expect-error no such pooling
  await t5.embed("a", { pooling: "max" });
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
  tokenizer.decode([1], { skipSpecialTokens: true }) satisfies string;
  tokenizer.batchDecode([[1], Int32Array.of(1)]) satisfies readonly string[];

  const error = new T5Error("ERR_INTERNAL", "message");
  error.code satisfies T5ErrorCode;
  // @ts-expect-error no such code
  error.code === "ERR_OTHER";
}
