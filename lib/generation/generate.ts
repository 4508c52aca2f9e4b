// `generate`: from a source to sequences, in one native call, or step by step with a logits processor.
import type { Call } from "../calls/call.js";
import {
  type Added,
  type AddedByNumber,
  type Given,
  type TruncationResult,
  truncationOf,
  wrapTensor,
} from "../calls/results.js";
import type { FinishReason, NativeGenerateResult, NativeSearch, NativeStep, NativeTensor } from "../native/types.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import type { CallControl } from "../util/call-control.js";
import { T5Error } from "../util/errors.js";
import { runSliced, type Sliced } from "../util/slices.js";
import type { Tensor, TopK } from "../util/tensor.js";
import type { DefaultsReader } from "./config.js";
import type { GenerateOptions, LogitsProcessor } from "./options.js";
import { type GenerateRequest, prepareGeneration, readGenerateOptions, readGenerateRequest } from "./request.js";

/**
 * The sequences of a `generate` call. Here and below, `rows` is `batch x numReturnSequences`, and `searched` is
 * `batch x numBeams`, or `rows` when sampling without beams.
 */
export interface GenerateSequences extends TruncationResult {
  /** `[rows, length]`: each sequence begins with the decoder's input, and is filled with the pad id after its end. */
  readonly sequences: Tensor<Int32Array>;
  /** The text of each sequence without special tokens; undefined where the model has no tokenizer. */
  readonly texts: readonly string[] | undefined;
  /** Why each sequence ends. */
  readonly finishReasons: readonly FinishReason[];
  /**
   * The number of generated tokens of each sequence: up to the token that ends it, which is included, without the
   * decoder's input and the padding.
   */
  readonly lengths: readonly number[];
  /**
   * `[rows, generatedLength]`: the searched row that each token comes from, -1 after the end. With beams, if
   * `returnScores` or `returnLogits` is given.
   */
  readonly beamIndices?: Tensor<Int32Array>;
}

/** What `returnLogits` adds. */
export interface GenerateLogits {
  /** The raw logits of each step, `[searched, vocabSize]`. */
  readonly logits: readonly Tensor[];
}

/** What `returnScores` adds. */
export interface GenerateScores {
  /** The processed logits of each step, `[searched, vocabSize]`; log-probabilities with beams. */
  readonly scores: readonly Tensor[];
  /** The scores of the generated tokens, `[rows, generatedLength]`: Hugging Face's `compute_transition_scores`. */
  readonly transitionScores: Tensor;
  /** With beams: the final score of each sequence, `[rows]`. */
  readonly sequenceScores?: Tensor;
}

/** What `logProbs` adds: natural logarithms of probabilities by the raw logits. */
export interface GenerateLogProbs {
  /** Of each generated token, `[rows, generatedLength]`: 0 after the end of a row. */
  readonly logProbs: Tensor;
  /**
   * Of the `logProbs` most probable tokens at its position, `[rows, generatedLength, logProbs]`, in descending order;
   * `indices` are their ids. 0 and -1 after the end of a row.
   */
  readonly topLogProbs: TopK;
}

/** What `generate` resolves to; with `logits`, `scores` and `logProbs` if the options ask for them. */
export type GenerateResult<Options = GenerateOptions> = GenerateSequences &
  Added<Given<Options, "returnLogits">, GenerateLogits> &
  Added<Given<Options, "returnScores">, GenerateScores> &
  AddedByNumber<Given<Options, "logProbs">, GenerateLogProbs>;

/** Generates with the model of `call`. */
export async function generate(
  call: Call,
  readDefaults: DefaultsReader,
  input: unknown,
  options: unknown,
): Promise<GenerateSequences> {
  const { model } = call;
  const { control, ...given } = call.read(() => readGenerateOptions(options, model.config.vocabSize));
  call.check(control);
  const request = call.read(() => readGenerateRequest(input, given, model, readDefaults));
  const { logitsProcessor: processor } = given.values;
  if (processor === undefined) {
    let truncation: TruncationResult = {};
    const result = await call.runSliced(control, prepareGeneration(request, model), (scheduling, prepared) => {
      truncation = truncationOf(prepared.source);
      return model.native.generate({ scheduling, ...prepared });
    });
    return wrapGenerated(result, truncation, call, control);
  }
  const { native, truncation } = await startGeneration(call, request, control);
  try {
    for (let step = 0; ; step++) {
      const { result } = await nextStep(call, native, { processor, step, takeOutputs: false }, control);
      if (result !== undefined) return await wrapGenerated(result, truncation, call, control);
    }
  } finally {
    native.dispose();
  }
}

/** A generation whose source is encoded. */
interface StartedGeneration {
  /** For `nextStep`. The owner has to dispose it. */
  readonly native: NativeSearch;
  readonly truncation: TruncationResult;
}

/** Encodes the source and prepares the search. */
export async function startGeneration(
  call: Call,
  request: GenerateRequest,
  control: CallControl,
): Promise<StartedGeneration> {
  let truncation: TruncationResult = {};
  const native = await call.runSliced(
    control,
    prepareGeneration(request, call.model),
    (scheduling, prepared) => {
      truncation = truncationOf(prepared.source);
      return call.model.native.startSearch({ scheduling, ...prepared });
    },
    (late) => late.dispose(),
  );
  return { native, truncation };
}

/** What one step does. */
interface StepPlan {
  readonly processor: LogitsProcessor | undefined;
  /** 0 for the first generated token. */
  readonly step: number;
  /** Whether the step returns its raw logits and log-probabilities, if the search has them. */
  readonly takeOutputs: boolean;
}

/**
 * Generates the next token of every row, or returns the step that has been computed. Rejects with what the processor
 * throws.
 */
export function nextStep(
  call: Call,
  native: NativeSearch,
  plan: StepPlan,
  control: CallControl,
): NativeStep | Promise<NativeStep> {
  const { processor, takeOutputs } = plan;
  if (processor !== undefined) return editedStep(call, native, { ...plan, processor }, control);
  return call.ask(control, (scheduling) => native.next({ scheduling, takeOutputs }));
}

async function editedStep(
  call: Call,
  native: NativeSearch,
  { processor, step, takeOutputs }: StepPlan & { readonly processor: LogitsProcessor },
  control: CallControl,
): Promise<NativeStep> {
  const { release } = call.model;
  const prepared = await call.run(control, (scheduling) => native.prepare({ scheduling }));
  const logits = wrapTensor(prepared.scores, release);
  try {
    const edited = callProcessor(processor, { sequences: wrapTensor(prepared.sequences, release), logits, step });
    await call.until(control, edited);
    const { data } = logits;
    if (data.length !== prepared.scores.shape.reduce((size, length) => size * length, 1)) {
      const message = "Expected logits that hold their data for options.logitsProcessor but they were disposed";
      throw call.error(new T5Error("ERR_DISPOSED", message));
    }
    return await call.run(control, (scheduling) => native.advance({ scheduling, edited: data, takeOutputs }));
  } finally {
    logits.dispose();
  }
}

/** Async, so that what the processor throws synchronously is a rejection too. */
async function callProcessor(processor: LogitsProcessor, step: Parameters<LogitsProcessor>[0]): Promise<void> {
  await processor(step);
}

/** Wraps a result, and decodes its rows in time slices. Rejects with the signal's reason as soon as it aborts. */
async function wrapGenerated(
  result: NativeGenerateResult,
  truncation: TruncationResult,
  call: Call,
  control: CallControl,
): Promise<GenerateSequences> {
  const { model } = call;
  const { sequences, finishReasons, lengths, logits, scores, sequenceScores, beamIndices, transitionScores } = result;
  const { logProbs } = result;
  const wrap = <Data extends Float32Array | Int32Array>(tensor: NativeTensor<Data>) =>
    wrapTensor(tensor, model.release);
  const texts = model.tokenizer && (await call.until(control, runSliced(textsOf(sequences, model.tokenizer))));
  return {
    sequences: wrap(sequences),
    texts,
    finishReasons,
    lengths,
    ...(logits && { logits: logits.map(wrap) }),
    ...(scores && { scores: scores.map(wrap) }),
    ...(sequenceScores && { sequenceScores: wrap(sequenceScores) }),
    ...(beamIndices && { beamIndices: wrap(beamIndices) }),
    ...(transitionScores && { transitionScores: wrap(transitionScores) }),
    ...(logProbs && {
      logProbs: wrap(logProbs.chosen),
      topLogProbs: { values: wrap(logProbs.values), indices: wrap(logProbs.indices) },
    }),
    ...truncation,
  };
}

/** The text of every sequence `[rows, length]`. */
function* textsOf({ data, shape }: NativeTensor<Int32Array>, tokenizer: T5Tokenizer): Sliced<readonly string[]> {
  const [rows = 0, length = 0] = shape;
  const texts: string[] = [];
  for (let row = 0; row < rows; row++) {
    if (row > 0) yield;
    const ids = data.subarray(row * length, (row + 1) * length);
    // Without a pad id, Hugging Face fills with -1.
    texts.push(
      tokenizer.decode(
        ids.filter((id) => id >= 0),
        { skipSpecialTokens: true },
      ),
    );
  }
  return texts;
}
