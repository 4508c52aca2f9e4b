// What `forward` resolves to: its type follows from the options, its tensors lie over native memory.
import type { NativeForwardResult, NativeTensor } from "./boundary.js";
import type { ForwardOptions } from "./options.js";
import { Tensor, type TensorData, type TopK } from "./tensor.js";

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

export interface HiddenStatesResult {
  /** `[batch, sourceLength, dModel]` */
  readonly encoderLastHiddenState: Tensor;
  /** `[batch, targetLength, dModel]`, after the final layer norm: Hugging Face's `decoder_hidden_states[-1]`. */
  readonly decoderLastHiddenState: Tensor;
}

type Given<Options extends ForwardOptions, Name extends keyof ForwardOptions> = Name extends keyof Options
  ? Options[Name]
  : undefined;

// In brackets, so that an option that may be one thing or another is looked at as a whole.
type Selected<TopKOption> = [TopKOption] extends [number]
  ? TopKResult
  : [TopKOption] extends [undefined]
    ? LogitsResult
    : LogitsResult | TopKResult;

type Added<Option, Result> = [Option] extends [true]
  ? Result
  : [Option] extends [false | undefined]
    ? unknown
    : Partial<Result>;

/** `logits`, or `values` and `indices` with `topK`; `loss` and the hidden states where the options ask for them. */
export type ForwardResult<Options extends ForwardOptions = Record<never, never>> = Selected<Given<Options, "topK">> &
  Added<Given<Options, "loss">, LossResult> &
  Added<Given<Options, "hiddenStates">, HiddenStatesResult>;

/** Wraps a native result. `release` frees a tensor's memory. */
export function wrapResult<Options extends ForwardOptions>(
  result: NativeForwardResult,
  release: (buffer: ArrayBufferLike) => void,
): ForwardResult<Options> {
  const wrapped: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(result)) {
    wrapped[name] = isTensor(value) ? new Tensor(value.data, value.shape, release) : value;
  }
  // The native side returns exactly what the options ask for.
  return wrapped as ForwardResult<Options>;
}

function isTensor(value: NativeTensor<TensorData> | number): value is NativeTensor<TensorData> {
  return typeof value === "object";
}
