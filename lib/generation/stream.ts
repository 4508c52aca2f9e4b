// `stream`: the tokens of all rows, step by step.
import type { Call } from "../calls/call.js";
import type { Hold } from "../calls/holds.js";
import { type Added, type AddedByNumber, type Given, type TruncationResult, wrapTensor } from "../calls/results.js";
import type { FinishReason, NativeSearch, NativeStep, NativeTokenLogProbs } from "../native/types.js";
import type { DecodeStream } from "../tokenizer/decode-stream.js";
import { isPromise } from "../util/abort.js";
import { type CallControl, onEnd } from "../util/call-control.js";
import { Tensor } from "../util/tensor.js";
import { expected } from "../util/validation.js";
import type { DefaultsReader } from "./config.js";
import { nextStep, startGeneration } from "./generate.js";
import type { OptionValues } from "./option-table.js";
import type { StreamOptions } from "./options.js";
import { type GenerateRequest, readGenerateOptions, readGenerateRequest } from "./request.js";

/** What `returnLogits` adds to a token. */
export interface StreamedLogits {
  /** The raw logits that the token was chosen by, `[1, vocabSize]`. */
  readonly logits: Tensor;
}

/** A token with the natural logarithm of its probability. */
export interface TokenLogProb {
  readonly tokenId: number;
  readonly logProb: number;
}

/** What `logProbs` adds to a token: natural logarithms of probabilities by the raw logits. */
export interface StreamedLogProbs {
  readonly logProb: number;
  /** The `logProbs` most probable tokens at this position, the best first. */
  readonly topLogProbs: readonly TokenLogProb[];
}

/** One generated token; with `logits` and `logProb` if `returnLogits` and `logProbs` are given. */
export type StreamedToken<Options = StreamOptions> = {
  /** The row of `generate`'s result that the token belongs to, from 0 on. */
  readonly row: number;
  readonly tokenId: number;
  /**
   * The text that this token completes, empty for a special token and for a model without a tokenizer. Joined, the
   * texts of a row's tokens are the row's text of `generate`, without what padding adds. None ends within a character.
   */
  readonly text: string;
  /** Of the last token of a row: why its sequence ends. */
  readonly finishReason?: FinishReason;
} & Added<Given<Options, "returnLogits">, StreamedLogits> &
  AddedByNumber<Given<Options, "logProbs">, StreamedLogProbs>;

const DONE = Object.freeze({ done: true, value: undefined });

/** A token whose type doesn't depend on the options. */
type AnyToken = StreamedToken<{ readonly returnLogits?: boolean; readonly logProbs?: number }>;

/** A call whose arguments are valid. */
interface ValidCall {
  readonly request: GenerateRequest;
  readonly values: OptionValues;
  readonly control: CallControl;
}

/** A sequence that has not ended. */
interface UnfinishedRow {
  readonly row: number;
  /** Undefined where the model has no tokenizer. */
  readonly text: DecodeStream | undefined;
}

/**
 * The tokens of one generation. A step generates the next token of every row that has not ended; its tokens follow one
 * another in the order of their rows. Up to two steps are computed ahead, without a logits processor. `return()`, which
 * `break` calls, frees the generation at once, even while a step runs.
 */
export class TokenStream<Token = StreamedToken> implements AsyncIterator<Token, undefined> {
  readonly #call: Call;
  readonly #hold: Hold;
  readonly #checked: ValidCall | { readonly error: unknown };
  #unfinished: readonly UnfinishedRow[] = [];
  /** The tokens of the last step that `next()` has not returned yet. */
  #tokens: AnyToken[] = [];
  #native: NativeSearch | undefined;
  #truncation: TruncationResult = {};
  #steps = 0;
  /** Whether no further step follows. */
  #isDone = false;
  /** Ends the step that runs: aborted by the caller and by `return()`. */
  readonly #ending = new AbortController();
  #isClosed = false;
  /** The last `next()`, which the following one waits for while any runs. */
  #last: Promise<unknown> | undefined;
  #running = 0;

  private constructor(call: Call, readDefaults: DefaultsReader, input: unknown, options: unknown) {
    this.#call = call;
    this.#hold = call.model.holds.begin(this);
    this.#checked = check(call, readDefaults, input, options);
  }

  /** @internal */
  static of<Token>(call: Call, readDefaults: DefaultsReader, input: unknown, options: unknown): TokenStream<Token> {
    return new TokenStream<Token>(call, readDefaults, input, options);
  }

  /** The next token. Rejects as `generate` does, once; after that the stream is done. */
  next(): Promise<IteratorResult<Token, undefined>> {
    const next = this.#next(this.#running > 0 ? this.#last : undefined);
    this.#last = next;
    return next;
  }

  /** Ends the stream. */
  async return(): Promise<IteratorResult<Token, undefined>> {
    this.#close();
    return DONE;
  }

  /** Ends the stream, and rejects with `error`. */
  async throw(error?: unknown): Promise<IteratorResult<Token, undefined>> {
    this.#close();
    throw error;
  }

  /** Whether each text of the source was truncated: from the first token on, where the source has `maxLength`. */
  get truncated(): readonly boolean[] | undefined {
    return this.#truncation.truncated;
  }

  /** The stream itself, for `for await`. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The same as `return()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  /** `before`: what it waits for. */
  async #next(before: Promise<unknown> | undefined): Promise<IteratorResult<Token, undefined>> {
    this.#running++;
    try {
      await before?.catch(() => {}); // in any case after `next()` has returned, so that a signal may abort meanwhile
      if (this.#isDone && this.#tokens.length === 0) return DONE;
      if ("error" in this.#checked) throw this.#checked.error;
      this.#call.check(this.#checked.control);
      if (this.#tokens.length === 0) await this.#advance(this.#checked);
      const token = this.#tokens.shift();
      return token === undefined ? DONE : { done: false, value: token as Token };
    } catch (thrown) {
      if (this.#isClosed) return DONE;
      this.#close();
      throw thrown;
    } finally {
      this.#running--;
    }
  }

  async #advance({ request, values, control: given }: ValidCall): Promise<void> {
    const call = this.#call;
    const control = { signal: this.#ending.signal, timeout: undefined, priority: given.priority };
    call.read(() => {}); // steps that were computed ahead are not returned once the model is disposed
    this.#native ??= await this.#withControl(given, this.#start(request, control));
    const plan = { processor: values.logitsProcessor, step: this.#steps, takeOutputs: true };
    const asked = nextStep(call, this.#native, plan, control);
    const step = isPromise(asked) ? await this.#withControl(given, asked) : asked;
    if (!this.#isClosed) this.#tokens = this.#tokensOf(step, request);
    this.#steps++;
    if (step.result !== undefined) {
      call.model.release(step.result.sequences.data.buffer);
      this.#end();
    }
  }

  async #start(request: GenerateRequest, control: CallControl): Promise<NativeSearch> {
    const { native, truncation } = await startGeneration(this.#call, request, control);
    this.#truncation = truncation;
    const { tokenizer } = this.#call.model;
    const rows = (request.decoderInputIds.length / request.targetLength) * request.options.numReturnSequences;
    this.#unfinished = Array.from({ length: rows }, (_, row) => ({
      row,
      text: tokenizer?.decodeStream({ skipSpecialTokens: true }),
    }));
    return native;
  }

  /** Ends the step that runs when the caller ends the call. Between steps nothing listens to the caller's signal. */
  async #withControl<Result>(control: CallControl, pending: Promise<Result>): Promise<Result> {
    const stop = onEnd(control, () => this.#ending.abort(this.#call.endError(control)));
    try {
      return await pending;
    } finally {
      stop();
    }
  }

  /** The tokens of the rows that had not ended before this step. */
  #tokensOf(step: NativeStep, request: GenerateRequest): AnyToken[] {
    const { release } = this.#call.model;
    const ids = step.tokenIds;
    const logits = step.logits && wrapTensor(step.logits, release);
    const tokens = this.#unfinished.map(({ row, text }): AnyToken => {
      const tokenId = ids[row] ?? 0;
      const finishReason = step.finishReasons[row];
      const piece = text?.push(this.#steps > 0 ? tokenId : [...promptOf(row, request), tokenId]) ?? "";
      const rest = finishReason === undefined ? "" : (text?.end() ?? "");
      return {
        row,
        tokenId,
        text: piece + rest,
        ...(finishReason && { finishReason }),
        ...(logits && { logits: ids.length === 1 ? logits : rowOf(logits, row) }),
        ...(step.logProbs && logProbsOf(step.logProbs, row)),
      };
    });
    this.#unfinished = this.#unfinished.filter(({ row }) => step.finishReasons[row] === undefined);
    if (ids.length > 1) logits?.dispose();
    for (const { data } of Object.values(step.logProbs ?? {})) release(data.buffer);
    return tokens;
  }

  #close(): void {
    this.#isClosed = true;
    this.#tokens = [];
    this.#ending.abort();
    this.#end();
  }

  #end(): void {
    this.#isDone = true;
    this.#native?.dispose();
    this.#native = undefined;
    this.#hold.end();
  }
}

/** The ids that the row's text begins with. */
function promptOf(row: number, { decoderInputIds, targetLength, options }: GenerateRequest): Int32Array {
  const start = Math.floor(row / options.numReturnSequences) * targetLength;
  return decoderInputIds.subarray(start, start + targetLength);
}

/** Reads the arguments when `stream` is called. An error rejects the first `next()`. */
function check(
  call: Call,
  readDefaults: DefaultsReader,
  input: unknown,
  options: unknown,
): ValidCall | { readonly error: unknown } {
  try {
    const { model } = call;
    const { control, ...given } = call.read(() => readGenerateOptions(options, model.config.vocabSize));
    const { values } = given;
    call.check(control);
    const request = call.read(() => {
      if (values.returnScores) throw expected("false, as stream has no scores,", "options.returnScores", true);
      return refuseBeams(readGenerateRequest(input, given, model, readDefaults));
    });
    return { request, values, control };
  } catch (error) {
    return { error };
  }
}

/** Allows several rows, but no beams: the tokens of a beam are not known before the end. */
function refuseBeams(request: GenerateRequest): GenerateRequest {
  const { numBeams } = request.options;
  if (numBeams === 1) return request;
  throw expected("1, as beams change up to the end of a generation,", "options.numBeams", numBeams);
}

/** A row of the logits `[rows, vocabSize]` as a tensor with memory of its own, `[1, vocabSize]`. */
function rowOf(logits: Tensor, row: number): Tensor {
  const data = logits.row(row).slice();
  return new Tensor(data, [1, data.length]);
}

/** The log-probabilities of a row. */
function logProbsOf({ chosen, values, indices }: NativeTokenLogProbs, row: number): StreamedLogProbs {
  const [, count = 0] = values.shape;
  const ids = indices.data.subarray(row * count, (row + 1) * count);
  return {
    logProb: chosen.data[row] ?? Number.NaN,
    topLogProbs: Array.from(ids, (tokenId, rank) => ({
      tokenId,
      logProb: values.data[row * count + rank] ?? Number.NaN,
    })),
  };
}
