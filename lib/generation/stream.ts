// `stream`: one token at a time, computed on demand.
import { type Call, throwIfAborted } from "../calls/call.js";
import { type Added, type Given, truncationOf, wrapTensor } from "../calls/results.js";
import type { NativeSearch, NativeStep, NativeTensor } from "../native/types.js";
import type { DecodeStream } from "../tokenizer/decode-stream.js";
import { onAbort } from "../util/abort.js";
import type { Tensor } from "../util/tensor.js";
import { expected } from "../util/validation.js";
import type { DefaultsReader } from "./config.js";
import { type FinishReason, finishesOf } from "./finish.js";
import { nextStep, startGeneration } from "./generate.js";
import type { OptionValues } from "./option-table.js";
import type { StreamOptions } from "./options.js";
import { type GenerateRequest, readGenerateOptions, readGenerateRequest } from "./request.js";

/** What `returnLogits` adds to a token. */
export interface StreamedLogits {
  /** The raw logits that the token was chosen by, `[1, vocabSize]`. */
  readonly logits: Tensor;
}

/** One generated token; with `logits` if `returnLogits` is given. */
export type StreamedToken<Options = StreamOptions> = {
  readonly tokenId: number;
  /**
   * The text that this token completes, empty for a special token and for a model without a tokenizer. Joined, the
   * texts of all tokens are `texts[0]` of `generate`. None ends within a character.
   */
  readonly text: string;
  /** Of the last token: why the sequence ends. */
  readonly finishReason?: FinishReason;
} & Added<Given<Options, "returnLogits">, StreamedLogits>;

const DONE = Object.freeze({ done: true, value: undefined });

/** A call whose arguments are valid. */
interface ValidCall {
  readonly request: GenerateRequest;
  readonly values: OptionValues;
  readonly signal: AbortSignal | undefined;
}

/**
 * The tokens of one generation, each computed when `next()` asks for it. `return()`, which `break` calls, frees the
 * generation at once, even while a step runs.
 */
export class TokenStream<Token = StreamedToken> implements AsyncIterableIterator<Token, undefined> {
  readonly #call: Call;
  readonly #checked: ValidCall | { readonly error: unknown };
  readonly #text: DecodeStream | undefined;
  #native: NativeSearch | undefined;
  #steps = 0;
  #isDone = false;
  /** Ends the step that runs: aborted by the caller's signal and by `return()`. */
  readonly #ending = new AbortController();
  #isClosed = false;
  /** The last `next()`, which the following one waits for. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(call: Call, readDefaults: DefaultsReader, input: unknown, options: unknown) {
    this.#call = call;
    this.#checked = check(call, readDefaults, input, options);
    this.#text = call.model.tokenizer?.decodeStream({ skipSpecialTokens: true });
  }

  /** @internal */
  static of<Token>(call: Call, readDefaults: DefaultsReader, input: unknown, options: unknown): TokenStream<Token> {
    return new TokenStream<Token>(call, readDefaults, input, options);
  }

  /** The next token. Rejects as `generate` does, once; after that the stream is done. */
  next(): Promise<IteratorResult<Token, undefined>> {
    const next = this.#last.then(() => this.#next());
    this.#last = next.catch(() => {});
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
    return "error" in this.#checked ? undefined : truncationOf(this.#checked.request.source).truncated;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The same as `return()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  async #next(): Promise<IteratorResult<Token, undefined>> {
    if (this.#isDone) return DONE;
    try {
      if ("error" in this.#checked) throw this.#checked.error;
      const token = await this.#withSignal(this.#checked.signal, this.#advance(this.#checked));
      return this.#isClosed ? DONE : { done: false, value: token as Token };
    } catch (thrown) {
      if (this.#isClosed) return DONE;
      this.#close();
      throw thrown;
    }
  }

  async #advance({
    request,
    values,
    signal: callerSignal,
  }: ValidCall): Promise<StreamedToken<{ readonly returnLogits?: boolean }>> {
    const call = this.#call;
    const { signal } = this.#ending;
    throwIfAborted(callerSignal);
    this.#native ??= await startGeneration(call, request, signal);
    const { logitsProcessor: processor, returnLogits: takeLogits = false } = values;
    const step = await nextStep(call, this.#native, { processor, step: this.#steps, takeLogits }, signal);
    const token = this.#token(step, request);
    this.#steps++;
    if (step.result !== undefined) {
      call.model.release(step.result.sequences.data.buffer);
      this.#end();
    }
    return token;
  }

  /** Forwards the caller's signal to the step that runs. Between steps the signal has no listener. */
  async #withSignal<Result>(signal: AbortSignal | undefined, pending: Promise<Result>): Promise<Result> {
    const unlisten = signal && onAbort(signal, () => this.#ending.abort(signal.reason));
    try {
      return await pending;
    } finally {
      unlisten?.();
    }
  }

  #token(step: NativeStep, request: GenerateRequest): StreamedToken<{ readonly returnLogits?: boolean }> {
    const { release } = this.#call.model;
    const tokenId = step.tokenIds.data[0] ?? 0;
    release(step.tokenIds.data.buffer);
    const ids = this.#steps === 0 ? [...request.decoderInputIds, tokenId] : [tokenId];
    const piece = this.#text?.push(ids) ?? "";
    const text = step.result === undefined ? piece : piece + (this.#text?.end() ?? "");
    const finishReason = step.result && this.#finishReason(step.result.sequences, request);
    return {
      tokenId,
      text,
      ...(finishReason && { finishReason }),
      ...(step.logits && { logits: wrapTensor(step.logits, release) }),
    };
  }

  #finishReason(sequences: NativeTensor<Int32Array>, request: GenerateRequest): FinishReason | undefined {
    const { options, targetLength: promptLength } = request;
    const { tokenizer } = this.#call.model;
    const [finish] = finishesOf(sequences, { promptLength, options, tokenizer });
    return finish?.reason;
  }

  #close(): void {
    this.#isClosed = true;
    this.#ending.abort();
    this.#end();
  }

  #end(): void {
    this.#isDone = true;
    this.#native?.dispose();
    this.#native = undefined;
  }
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
    const { values, signal } = call.read(() => readGenerateOptions(options, model.config.vocabSize));
    throwIfAborted(signal);
    const request = call.read(() => {
      if (values.returnScores) throw expected("false, as stream has no scores,", "options.returnScores", true);
      return checkSingle(readGenerateRequest(input, values, model, readDefaults));
    });
    return { request, values, signal };
  } catch (error) {
    return { error };
  }
}

/** Allows one sequence without beams, as Hugging Face's streamers do. */
function checkSingle(request: GenerateRequest): GenerateRequest {
  const { options, targetLength, decoderInputIds } = request;
  for (const name of ["numBeams", "numReturnSequences"] as const) {
    if (options[name] !== 1) throw expected("1, as a stream is of one sequence,", `options.${name}`, options[name]);
  }
  const batch = decoderInputIds.length / targetLength;
  if (batch !== 1) throw expected("one row, as a stream is of one sequence,", "input", batch);
  return request;
}
