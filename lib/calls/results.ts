// What calls resolve to: the types follow from the options, the tensors lie over native memory.
import type { NativeForwardResult, NativeTensor } from "../native/types.js";
import { Tensor, type TensorData, type TopK } from "../util/tensor.js";
import type { Head } from "./head.js";

export interface LogitsResult {
  /** `[batch, positions, tokens]`: by default `[batch, targetLength, vocabSize]`. */
  readonly logits: Tensor;
}

/** The largest logits, `[batch, positions, topK]`, in descending order; `indices` are vocabulary ids. */
export type TopKResult = TopK;

export interface LossResult {
  /** Hugging Face's loss: mean cross entropy over the labels that aren't -100; NaN where all are. */
  readonly loss: number;
}

export interface DecoderHiddenStatesResult {
  /** `[batch, targetLength, dModel]`, after the final layer norm: Hugging Face's `decoder_hidden_states[-1]`. */
  readonly decoderLastHiddenState: Tensor;
}

export interface HiddenStatesResult extends DecoderHiddenStatesResult {
  /** `[batch, sourceLength, dModel]` */
  readonly encoderLastHiddenState: Tensor;
}

export interface HeadResult {
  /** What the head's `forward` returned. */
  readonly headOutput: Tensor;
}

/** The option of that name, undefined where the options don't have it. */
export type Given<Options, Name extends string> = Name extends keyof Options ? Options[Name] : undefined;

// In brackets, so that an option that may be one thing or another is looked at as a whole.
type Selected<TopKOption> = [TopKOption] extends [number]
  ? TopKResult
  : [TopKOption] extends [undefined]
    ? LogitsResult
    : LogitsResult | TopKResult;

type Computed<HeadOption, TopKOption> = [HeadOption] extends [undefined]
  ? Selected<TopKOption>
  : [HeadOption] extends [Head]
    ? HeadResult
    : Selected<TopKOption> | HeadResult;

/** What an option that is true adds; all of it optional where the option may be either. */
export type Added<Option, Result> = [Option] extends [true]
  ? Result
  : [Option] extends [false | undefined]
    ? unknown
    : Partial<Result>;

/**
 * `logits`, or `values` and `indices` with `topK`, or `headOutput` with `head`; `loss` and the hidden states where the
 * options ask for them.
 */
export type ForwardResult<Options = Record<never, never>> = Computed<Given<Options, "head">, Given<Options, "topK">> &
  Added<Given<Options, "loss">, LossResult> &
  Added<Given<Options, "hiddenStates">, HiddenStatesResult>;

/** What a session's calls resolve to: as `forward`, without what only the encoder or a loss has. */
export type DecodingResult<Options = Record<never, never>> = Selected<Given<Options, "topK">> &
  Added<Given<Options, "hiddenStates">, DecoderHiddenStatesResult>;

/** Wraps a native result, which has exactly what `Result` says. `release` frees a tensor's memory. */
export function wrapResult<Result>(result: NativeForwardResult, release: (buffer: ArrayBufferLike) => void): Result {
  const wrapped: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(result)) {
    wrapped[name] = isTensor(value) ? wrapTensor(value, release) : value;
  }
  return wrapped as Result;
}

/** A tensor over native memory. */
export function wrapTensor<Data extends TensorData>(
  { data, shape }: NativeTensor<Data>,
  release: (buffer: ArrayBufferLike) => void,
): Tensor<Data> {
  return new Tensor(data, shape, release);
}

function isTensor(value: NativeTensor<TensorData> | number): value is NativeTensor<TensorData> {
  return typeof value === "object";
}
