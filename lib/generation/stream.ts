// `stream`: one token at a time, computed when it is asked for.

import { type Call, throwIfAborted } from "../calls/call.js";
import { type Added, type Given, wrapTensor } from "../calls/results.js";
import type { NativeSearch, NativeStep } from "../native/types.js";
import type { DecodeStream } from "../tokenizer/decode-stream.js";
import { onAbort } from "../util/abort.js";
import type { Tensor } from "../util/tensor.js";
import { expected } from "../util/validation.js";
import { nextStep, startGeneration } from "./generate.js";
import type { StreamOptions } from "./options.js";
import { type Generation, type GenerationCall, readGeneration, readGenerationOptions } from "./request.js";

export interface StreamedLogits {
  /** The raw logits that the token was chosen by, `[1, vocabSize]`. */
  readonly logits: Tensor;
}

/** One generated token; `logits` with `returnLogits`. */
export type StreamedToken<Options = StreamOptions> = {
  readonly tokenId: number;
  /**
   * The text that is certain with this token: the pieces join to `texts[0]` of `generate`, and none ends within a character.
   * Empty for a special token, and where the model has no tokenizer.
   */
  readonly text: string;
} & Added<Given<Options, "returnLogits">, StreamedLogits>;

const DONE = Object.freeze({ done: true, value: undefined });

/** A call whose arguments are in order. */
interface Ready {
  readonly generation: Generation;
  readonly options: GenerationCall;
}

/**
 * The tokens of one generation. Nothing is computed before it is asked for; `return()`, which `break` calls, frees the
 * generation at once, a step that runs included.
 */
export class TokenStream<Token = StreamedToken> implements AsyncIterableIterator<Token, undefined> {
  readonly #call: Call;
  readonly #ready: Ready | { readonly error: unknown };
  readonly #text: DecodeStream | undefined;
  #native: NativeSearch | undefined;
  #steps = 0;
  #isDone = false;
  /** Ends whatever runs for this stream: aborted by the caller's signal, or by `return()`. */
  readonly #ending = new AbortController();
  #isClosed = false;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(call: Call, input: unknown, options: unknown) {
    this.#call = call;
    this.#ready = check(call, input, options);
    this.#text = call.model.tokenizer?.decodeStream({ skipSpecialTokens: true });
  }

  /** @internal */
  static of<Token>(call: Call, input: unknown, options: unknown): TokenStream<Token> {
    return new TokenStream<Token>(call, input, options);
  }

  /** The next token. Rejects as `generate` does, once; then it is done. */
  next(): Promise<IteratorResult<Token, undefined>> {
    const next = this.#last.then(() => this.#next());
    this.#last = next.catch(() => {});
    return next;
  }

  /** Ends it. */
  async return(): Promise<IteratorResult<Token, undefined>> {
    this.#close();
    return DONE;
  }

  /** Ends it, and rejects with `error`. */
  async throw(error?: unknown): Promise<IteratorResult<Token, undefined>> {
    this.#close();
    throw error;
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
      if ("error" in this.#ready) throw this.#ready.error;
      const token = await this.#abortedWith(this.#ready.options.signal, this.#advance(this.#ready));
      return this.#isClosed ? DONE : { done: false, value: token as Token };
    } catch (thrown) {
      if (this.#isClosed) return DONE;
      this.#close();
      throw thrown;
    }
  }

  async #advance({ generation, options }: Ready): Promise<StreamedToken<{ readonly returnLogits?: boolean }>> {
    const call = this.#call;
    const { signal } = this.#ending;
    throwIfAborted(options.signal);
    this.#native ??= await startGeneration(call, generation, signal);
    const plan = { processor: options.processor, step: this.#steps, takeLogits: options.settings.returnLogits };
    const step = await nextStep(call, this.#native, plan, signal);
    const token = this.#token(step, generation);
    this.#steps++;
    if (step.result !== undefined) {
      call.model.release(step.result.sequences.data.buffer);
      this.#end();
    }
    return token;
  }

  /** Ends what `pending` waits for with the reason of the caller's signal. Between steps nothing listens to that. */
  async #abortedWith<Result>(signal: AbortSignal | undefined, pending: Promise<Result>): Promise<Result> {
    const unlisten = signal && onAbort(signal, () => this.#ending.abort(signal.reason));
    try {
      return await pending;
    } finally {
      unlisten?.();
    }
  }

  #token(step: NativeStep, { request }: Generation): StreamedToken<{ readonly returnLogits?: boolean }> {
    const { release } = this.#call.model;
    const tokenId = step.tokenIds.data[0] ?? 0;
    release(step.tokenIds.data.buffer);
    const ids = this.#steps === 0 ? [...request.decoderInputIds, tokenId] : [tokenId];
    const piece = this.#text?.push(ids) ?? "";
    const text = step.result === undefined ? piece : piece + (this.#text?.end() ?? "");
    return { tokenId, text, ...(step.logits && { logits: wrapTensor(step.logits, release) }) };
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

/** Reads the arguments when the call is made; what is wrong with them rejects the first `next()`. */
function check(call: Call, input: unknown, options: unknown): Ready | { readonly error: unknown } {
  try {
    const { model } = call;
    const read = call.read(() => readGenerationOptions(options, model.config.vocabSize));
    throwIfAborted(read.signal);
    return {
      options: read,
      generation: call.read(() => {
        if (read.settings.returnScores) throw expected("false, as stream has no scores,", "options.returnScores", true);
        const generation = readGeneration(input, read, model);
        checkSingle(generation);
        return generation;
      }),
    };
  } catch (error) {
    return { error };
  }
}

/** As Hugging Face's streamers: one sequence, without beams. */
function checkSingle({ request }: Generation): void {
  const { options, targetLength, decoderInputIds } = request;
  for (const name of ["numBeams", "numReturnSequences"] as const) {
    if (options[name] !== 1) throw expected("1, as a stream is of one sequence,", `options.${name}`, options[name]);
  }
  const batch = decoderInputIds.length / targetLength;
  if (batch !== 1) throw expected("one row, as a stream is of one sequence,", "input", batch);
}
