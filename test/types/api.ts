// Compiled, never run: what the types of the package promise, and what they refuse.
import {
  type ForwardOptions,
  type ForwardResult,
  type GenerationConfig,
  T5Error,
  type T5ErrorCode,
  T5ForConditionalGeneration,
  T5Tokenizer,
  Tensor,
} from "torch-t5";

/** Whether two types are the same; `any` equals nothing but itself. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

function isTrue<Value extends true>(): Value | undefined {
  return undefined;
}

declare const t5: T5ForConditionalGeneration;
declare const anyOptions: ForwardOptions;

export async function results(): Promise<void> {
  const all = await t5.forward("text");
  all.logits satisfies Tensor<Float32Array>;
  // @ts-expect-error no topK, no values
  all.values;
  // @ts-expect-error no loss was asked for
  all.loss;
  // @ts-expect-error no hidden states were asked for
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

  const less = await t5.forward("a", { loss: false, hiddenStates: false, signal: AbortSignal.timeout(1) });
  less.logits satisfies Tensor;
  // @ts-expect-error it was switched off
  less.loss;

  const unknown = await t5.forward("a", anyOptions);
  // @ts-expect-error it depends on the options
  unknown.logits;
  if ("logits" in unknown) unknown.logits satisfies Tensor;
  else unknown.values satisfies Tensor;
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

  // @ts-expect-error a number is no input
  await t5.forward(1);
  // @ts-expect-error nothing for the encoder
  await t5.forward({ target: "b" });
  // @ts-expect-error two sources
  await t5.forward({ text: "a", inputIds: [[1]] });
  // @ts-expect-error two targets
  await t5.forward({ text: "a", target: "b", labels: [[1]] });
  // @ts-expect-error two decoder inputs
  await t5.forward({ inputIds: [[1]], labels: [[1]], decoderInputIds: [[1]] });
  // @ts-expect-error a flat array has no shape
  await t5.forward({ inputIds: Int32Array.of(1) });
  // @ts-expect-error floats are no ids
  await t5.forward({ inputIds: { data: Float32Array.of(1), shape: [1, 1] } });
  // @ts-expect-error an unknown option
  await t5.forward("a", { topk: 1 });
  // @ts-expect-error an unknown option beside a known one
  await t5.forward("a", { topK: 1, positoins: "last" });
  // @ts-expect-error another kind of positions
  await t5.forward("a", { positions: "first" });
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
  // @ts-expect-error a later version's precision
  await T5ForConditionalGeneration.fromPretrained("model", { precision: "float16" });
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
