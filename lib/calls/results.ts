// What calls return: the options that select it, the types that follow from the options, and tensors over native
// memory.
import { isRow, readIdList, readList } from "../inputs/ids.js";
import type { NativeEncoderOutput, NativeForwardResult, NativeSelection, NativeTensor } from "../native/types.js";
import type { PaddedBatch } from "../tokenizer/padded-batch.js";
import { CALL_OPTIONS } from "../util/call-control.js";
import type { CallOptions } from "../util/call-options.js";
import { Tensor, type TensorData, type TopK } from "../util/tensor.js";
import { checkFlag, checkInteger, expected, INT32_MAX } from "../util/validation.js";
import type { DecoderAttentionsResult, DecoderLayersResult } from "./layer-outputs.js";

/** Which logits a call returns. */
export interface SelectionOptions extends CallOptions {
  /** Keep only these decoder positions, or the last one: logits `[batch, positions, vocabSize]`. */
  readonly positions?: "last" | readonly number[] | Int32Array | undefined;
  /** Keep only the logits of these vocabulary ids: `[batch, targetLength, tokens]`. */
  readonly tokens?: readonly number[] | Int32Array | undefined;
  /** Return the largest logits and their vocabulary ids instead of all logits: both `[batch, targetLength, topK]`. */
  readonly topK?: number | undefined;
  /** Also return the last hidden states. Default: false. */
  readonly hiddenStates?: boolean | undefined;
  /**
   * Also return the hidden states of every layer, of all positions. Needs precision "exact". Default: false.
   */
  readonly outputHiddenStates?: boolean | undefined;
  /**
   * Also return the attention weights of every layer, of all positions. The call then computes with Hugging Face's eager
   * attention, which all its results are those of. Needs precision "exact". Default: false.
   */
  readonly outputAttentions?: boolean | undefined;
}

/** Logits, without `topK` and `head`. */
export interface LogitsResult {
  /** `[batch, positions, tokens]`: by default `[batch, targetLength, vocabSize]`. */
  readonly logits: Tensor;
}

/** What `maxLength` or `truncation` in the source adds to a result. */
export interface TruncationResult {
  /** Whether each text of the source was truncated, `[batch]`. */
  readonly truncated?: readonly boolean[];
}

/** The largest logits, `[batch, positions, topK]`, in descending order; `indices` are vocabulary ids. */
export type TopKResult = TopK;

/** What `hiddenStates` adds to the result of a session. */
export interface DecoderHiddenStatesResult {
  /** `[batch, targetLength, dModel]`, after the final layer norm: Hugging Face's `decoder_hidden_states[-1]`. */
  readonly decoderLastHiddenState: Tensor;
}

/**
 * The type of an option that isn't given. Not `undefined`, which every type includes in a project without
 * `strictNullChecks`: there `undefined extends number` holds. For the same reason the types below ask first whether an
 * option is absent.
 */
export interface NotGiven {
  readonly isGiven: false;
}

/** The type of an option that has no value. */
export type Absent = NotGiven | undefined;

/** The type of the option `Name`, with `NotGiven` where the options may lack it. */
export type Given<Options, Name extends string> = Name extends keyof Options
  ? Options[Name] | (Record<never, never> extends Pick<Options, Name> ? NotGiven : never)
  : NotGiven;

/**
 * `logits`, or `values` and `indices` with `topK`. In brackets, so that a union of option types isn't distributed over.
 */
export type Selected<TopKOption> = [TopKOption] extends [Absent]
  ? LogitsResult
  : [TopKOption] extends [number]
    ? TopKResult
    : LogitsResult | TopKResult;

/** The properties that an option adds where it is true; optional ones where the compiler can't tell whether it is. */
export type Added<Option, Result> = [Option] extends [false | Absent]
  ? unknown
  : [Option] extends [true]
    ? Result
    : Partial<Result>;

/** The properties that an option adds where it has a number. */
export type AddedByNumber<Option, Result> = [Option] extends [Absent]
  ? unknown
  : [Option] extends [number]
    ? Result
    : Partial<Result>;

/**
 * The result of a session's `prefill` or `step`: that of `forward` without the loss, the encoder's states and heads.
 */
export type DecodingResult<Options = Record<never, never>> = Selected<Given<Options, "topK">> &
  Added<Given<Options, "hiddenStates">, DecoderHiddenStatesResult> &
  Added<Given<Options, "outputHiddenStates">, DecoderLayersResult> &
  Added<Given<Options, "outputAttentions">, DecoderAttentionsResult>;

export const STEP_SELECTION_OPTIONS = [
  "tokens",
  "topK",
  "hiddenStates",
  "outputHiddenStates",
  "outputAttentions",
  ...CALL_OPTIONS,
] as const;
export const SELECTION_OPTIONS = ["positions", ...STEP_SELECTION_OPTIONS] as const;

/** Selection options as the caller gave them. */
export type SelectionFields = Readonly<Partial<Record<(typeof SELECTION_OPTIONS)[number], unknown>>>;

/** Copies the lists of a selection, for `checkSelection` to check later. */
export function copySelection(selection: SelectionFields): SelectionFields {
  const { positions, tokens } = selection;
  if (positions === undefined && tokens === undefined) return selection;
  return { ...selection, positions: copyRow(positions), tokens: copyRow(tokens) };
}

/** Throws ERR_INVALID_ARGUMENT, and ERR_TOKEN_OUT_OF_RANGE for an id in `tokens` that is out of range. */
export function checkSelection(fields: SelectionFields, targetLength: number, vocabSize: number): NativeSelection {
  const { positions, topK } = fields;
  const tokens = fields.tokens === undefined ? undefined : readIdList(fields.tokens, "options.tokens", vocabSize);
  return {
    positions: positions === undefined ? undefined : checkPositions(positions, targetLength),
    tokens,
    topK: topK === undefined ? 0 : checkInteger(topK, "options.topK", 1, tokens?.length ?? vocabSize),
    hiddenStates: checkFlag(fields.hiddenStates, "options.hiddenStates"),
    outputHiddenStates: checkFlag(fields.outputHiddenStates, "options.outputHiddenStates"),
    outputAttentions: checkFlag(fields.outputAttentions, "options.outputAttentions"),
  };
}

/** Refuses a selection of more logits than int32 can count. Throws ERR_INVALID_ARGUMENT. */
export function checkLogitsSize(
  batch: number,
  targetLength: number,
  vocabSize: number,
  selection: NativeSelection,
): void {
  const size = batch * (selection.positions?.length ?? targetLength) * (selection.tokens?.length ?? vocabSize);
  if (size <= INT32_MAX) return;
  throw expected(`at most ${INT32_MAX} logits (select positions or tokens, or use smaller batches)`, "input", size);
}

/** What a result states about the truncation of its source. */
export function truncationOf(source: PaddedBatch | NativeEncoderOutput): TruncationResult {
  return "truncated" in source && source.truncated !== undefined ? { truncated: source.truncated } : {};
}

/** Wraps the tensors of a native result, which has the properties of `Result`. `release` frees a tensor's memory. */
export function wrapResult<Result>(result: NativeForwardResult, release: (buffer: ArrayBufferLike) => void): Result {
  const wrapped: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(result)) {
    if (isTensors(value)) wrapped[name] = value.map((tensor) => wrapTensor(tensor, release));
    else wrapped[name] = isTensor(value) ? wrapTensor(value, release) : value;
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

/** A copy of a value that is an array which may hold ids, else the value. */
function copyRow(value: unknown): unknown {
  return isRow(value) ? Array.from<unknown>(value) : value;
}

function checkPositions(value: unknown, length: number): Int32Array {
  if (value === "last") return Int32Array.of(length - 1);
  if (typeof value === "string") throw expected('"last" or an array of positions', "options.positions", value);
  return readList(value, "options.positions", length, (position, name) =>
    expected(`a position from 0 to ${length - 1}`, name, position),
  );
}

type NativeValue = NativeTensor<TensorData> | readonly NativeTensor<TensorData>[] | number;

function isTensors(value: NativeValue): value is readonly NativeTensor<TensorData>[] {
  return Array.isArray(value);
}

function isTensor(value: NativeValue): value is NativeTensor<TensorData> {
  return typeof value === "object";
}
