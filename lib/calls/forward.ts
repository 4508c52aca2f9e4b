// `forward`: one pass through the model.
import { DECODER_FIELDS, type DecoderInput, decoderIdsOf, readDecoderInput } from "../inputs/decoder-input.js";
import {
  encodeSource,
  encodeTexts,
  type IdSource,
  readFields,
  readSourceIds,
  rowsOf,
  SOURCE_FIELDS,
  type TextSource,
  type TokenizedSource,
} from "../inputs/source.js";
import type { NativeForwardRequest, NativeHead } from "../native/types.js";
import { readControl } from "../util/call-control.js";
import { readOptions } from "../util/call-options.js";
import type { Sliced } from "../util/slices.js";
import type { Tensor } from "../util/tensor.js";
import { checkFlag, expected } from "../util/validation.js";
import type { Call, ModelHandle } from "./call.js";
import { EncoderOutput } from "./encoder-output.js";
import { Head } from "./head.js";
import { type AttentionsResult, checkLayerOutputs, type LayersResult } from "./layer-outputs.js";
import {
  type Absent,
  type Added,
  checkLogitsSize,
  checkSelection,
  copySelection,
  type DecoderHiddenStatesResult,
  type Given,
  SELECTION_OPTIONS,
  type Selected,
  type SelectionOptions,
  type TruncationResult,
  truncationOf,
  wrapResult,
} from "./results.js";

/** The input of `forward`. */
export type ForwardInput = string | readonly string[] | ((TextSource | IdSource | TokenizedSource) & DecoderInput);

/** The options of `forward`. */
export interface ForwardOptions extends SelectionOptions {
  /** Also return Hugging Face's loss; needs `target` or `labels` in the input. Default: false. */
  readonly loss?: boolean | undefined;
  /** Return this head's output instead of logits. */
  readonly head?: Head | undefined;
}

/** What `loss` adds. */
export interface LossResult {
  /** Hugging Face's loss: the mean cross entropy over the labels that aren't -100; NaN where all are. */
  readonly loss: number;
}

/** What `hiddenStates` adds to the result of `forward`. */
export interface HiddenStatesResult extends DecoderHiddenStatesResult {
  /** `[batch, sourceLength, dModel]`, after the final layer norm. */
  readonly encoderLastHiddenState: Tensor;
}

/** What replaces the logits, with `head`. */
export interface HeadResult {
  /** The tensor that the head's `forward` returned, in its shape, as float32. */
  readonly headOutput: Tensor;
}

/** What a forward pass computes: selected logits, or a head's output. */
type Computed<HeadOption, TopKOption> = [HeadOption] extends [Absent]
  ? Selected<TopKOption>
  : [HeadOption] extends [Head]
    ? HeadResult
    : Selected<TopKOption> | HeadResult;

/**
 * `logits`, or `values` and `indices` with `topK`, or `headOutput` with `head`; also `loss`, hidden states and attention
 * weights if the options ask for them.
 */
export type ForwardResult<Options = Record<never, never>> = Computed<Given<Options, "head">, Given<Options, "topK">> &
  Added<Given<Options, "loss">, LossResult> &
  Added<Given<Options, "hiddenStates">, HiddenStatesResult> &
  Added<Given<Options, "outputHiddenStates">, LayersResult> &
  Added<Given<Options, "outputAttentions">, AttentionsResult> &
  TruncationResult;

const FORWARD_OPTIONS = [...SELECTION_OPTIONS, "loss", "head"] as const;
const INPUT_FIELDS = [...SOURCE_FIELDS, ...DECODER_FIELDS] as const;

/** The options as the caller gave them. */
type ForwardFields = Readonly<Partial<Record<(typeof FORWARD_OPTIONS)[number], unknown>>>;

/** One forward pass of the model of `call`. The result has the properties of `Result`. */
export async function forward<Result>(
  call: Call,
  input: unknown,
  options: unknown,
): Promise<Result & TruncationResult> {
  const { model } = call;
  const { fields, control } = call.read(() => {
    const given: ForwardFields = readOptions(options, FORWARD_OPTIONS);
    return { fields: given, control: readControl(given) };
  });
  call.check(control);
  const work = call.read(() => readRequest(model, input, fields));
  let truncation: TruncationResult = {};
  const result = await call.runSliced(control, work, (scheduling, request) => {
    truncation = truncationOf(request.source);
    return model.native.forward({ scheduling, ...request });
  });
  return { ...wrapResult<Result>(result, model.release), ...truncation };
}

type ForwardRequest = Omit<NativeForwardRequest, "scheduling">;

/** Copies the arguments now; the returned work makes a request of them. */
function readRequest(model: ModelHandle, input: unknown, options: ForwardFields): Sliced<ForwardRequest> {
  if (EncoderOutput.is(input)) {
    throw expected("texts or ids (use startDecoding of an encoder output)", "input", input);
  }
  const { vocabSize } = model.config;
  const fields = readFields(input, "input", INPUT_FIELDS);
  const source = readSourceIds(fields, model, "input");
  const batch = rowsOf(source);
  const decoderInput = readDecoderInput(fields, batch, model);
  const head = checkHead(options, model);
  const loss = checkFlag(options.loss, "options.loss");
  if (loss && decoderInput.target === undefined && decoderInput.labels === undefined) {
    throw expected("target or labels, as options.loss is true,", "input", undefined);
  }
  const selected = copySelection(options);
  return (function* makeRequest() {
    const encoded = yield* encodeSource(source, model);
    const target = decoderInput.target && (yield* encodeTexts(decoderInput.target, model));
    const { ids, labels } = decoderIdsOf(decoderInput, target, batch, model);
    const selection = checkSelection(selected, ids.length, vocabSize);
    checkLogitsSize(batch, ids.length, vocabSize, selection);
    const sizes = { batch, encoderLength: encoded.length, sourceLength: encoded.length };
    checkLayerOutputs(selection, { ...sizes, targetLength: ids.length, positions: ids.length }, model);
    return {
      source: encoded,
      targetLength: ids.length,
      decoderInputIds: ids.data,
      labels: loss || head !== undefined ? labels : undefined,
      loss,
      ...selection,
      head,
    };
  })();
}

/** The head of a call, or undefined. Throws ERR_INVALID_ARGUMENT, ERR_DISPOSED. */
function checkHead(options: ForwardFields, model: ModelHandle): NativeHead | undefined {
  const { head } = options;
  if (head === undefined) return undefined;
  if (!Head.is(head)) throw expected("a Head that loadHead returned", "options.head", head);
  for (const name of ["positions", "tokens", "topK"] as const) {
    if (options[name] === undefined) continue;
    throw expected("nothing, as options.head leaves no logits to select from,", `options.${name}`, options[name]);
  }
  return head.nativeFor(model);
}
