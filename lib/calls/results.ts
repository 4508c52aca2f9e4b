// What calls return: the options that select it, the types that follow from the options, and tensors over native memory.
import { readIdList, readList } from "../inputs/ids.js";
import type { NativeForwardResult, NativeTensor } from "../native/types.js";
import type { SignalOption } from "../util/call-options.js";
import { Tensor, type TensorData, type TopK } from "../util/tensor.js";
import { checkFlag, checkInteger, expected, INT32_MAX } from "../util/validation.js";

/** Which logits a call returns. */
export interface SelectionOptions extends SignalOption {
  /** Keep only these decoder positions, or the last one: logits `[batch, positions, vocabSize]`. */
  readonly positions?: "last" | readonly number[] | Int32Array | undefined;
  /** Keep only the logits of these vocabulary ids: `[batch, targetLength, tokens]`. */
  readonly tokens?: readonly number[] | Int32Array | undefined;
  /** Return the largest logits and their vocabulary ids instead of all logits: both `[batch, targetLength, topK]`. */
  readonly topK?: number | undefined;
  /** Also return the last hidden states. Default: false. */
  readonly hiddenStates?: boolean | undefined;
}

export interface LogitsResult {
  /** `[batch, positions, tokens]`: by default `[batch, targetLength, vocabSize]`. */
  readonly logits: Tensor;
}

/** The largest logits, `[batch, positions, topK]`, in descending order; `indices` are vocabulary ids. */
export type TopKResult = TopK;

export interface DecoderHiddenStatesResult {
  /** `[batch, targetLength, dModel]`, after the final layer norm: Hugging Face's `decoder_hidden_states[-1]`. */
  readonly decoderLastHiddenState: Tensor;
}

/** The option of that name, undefined where the options lack it. */
export type Given<Options, Name extends string> = Name extends keyof Options ? Options[Name] : undefined;

/** `logits`, or `values` and `indices` with `topK`. In brackets, so that a union of option types isn't distributed over. */
export type Selected<TopKOption> = [TopKOption] extends [number]
  ? TopKResult
  : [TopKOption] extends [undefined]
    ? LogitsResult
    : LogitsResult | TopKResult;

/** What an option adds that is true; an optional part of the result where the compiler can't tell whether it is. */
export type Added<Option, Result> = [Option] extends [true]
  ? Result
  : [Option] extends [false | undefined]
    ? unknown
    : Partial<Result>;

/** The result of a session's `prefill` or `step`: as `forward`'s, without loss and encoder. */
export type DecodingResult<Options = Record<never, never>> = Selected<Given<Options, "topK">> &
  Added<Given<Options, "hiddenStates">, DecoderHiddenStatesResult>;

/** The parts of the logits that native code keeps. */
export interface LogitsSelection {
  readonly positions: Int32Array | undefined;
  readonly tokens: Int32Array | undefined;
  /** 0: all. */
  readonly topK: number;
  readonly hiddenStates: boolean;
}

export const STEP_SELECTION_OPTIONS = ["tokens", "topK", "hiddenStates", "signal"] as const;
export const SELECTION_OPTIONS = ["positions", ...STEP_SELECTION_OPTIONS] as const;

/** Selection options as the caller gave them. */
export type SelectionFields = Readonly<Partial<Record<(typeof SELECTION_OPTIONS)[number], unknown>>>;

/** Throws ERR_INVALID_ARGUMENT, and ERR_TOKEN_OUT_OF_RANGE for an id in `tokens` that is out of range. */
export function checkSelection(fields: SelectionFields, targetLength: number, vocabSize: number): LogitsSelection {
  const { positions, topK } = fields;
  const tokens = fields.tokens === undefined ? undefined : readIdList(fields.tokens, "options.tokens", vocabSize);
  return {
    positions: positions === undefined ? undefined : checkPositions(positions, targetLength),
    tokens,
    topK: topK === undefined ? 0 : checkInteger(topK, "options.topK", 1, tokens?.length ?? vocabSize),
    hiddenStates: checkFlag(fields.hiddenStates, "options.hiddenStates"),
  };
}

/** Refuses a selection of more logits than int32 can count. Throws ERR_INVALID_ARGUMENT. */
export function checkSize(batch: number, targetLength: number, vocabSize: number, selection: LogitsSelection): void {
  const size = batch * (selection.positions?.length ?? targetLength) * (selection.tokens?.length ?? vocabSize);
  if (size <= INT32_MAX) return;
  throw expected(`at most ${INT32_MAX} logits (select positions or tokens, or use smaller batches)`, "input", size);
}

/** Wraps the tensors of a native result, whose properties are those of `Result`. `release` frees a tensor's memory. */
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

function checkPositions(value: unknown, length: number): Int32Array {
  if (value === "last") return Int32Array.of(length - 1);
  if (typeof value === "string") throw expected('"last" or an array of positions', "options.positions", value);
  return readList(value, "options.positions", length, (position, name) =>
    expected(`a position from 0 to ${length - 1}`, name, position),
  );
}

function isTensor(value: NativeTensor<TensorData> | number): value is NativeTensor<TensorData> {
  return typeof value === "object";
}
