// The public model: loads an exported directory and runs it.
import { abortable } from "./abort.js";
import type { NativeForwardRequest, NativeForwardResult, NativeModel } from "./boundary.js";
import type { GenerationConfig, T5Config } from "./config.js";
import { directoryPath } from "./directory.js";
import { type CallSite, captureCallSite, errorFor, T5Error } from "./errors.js";
import { type ForwardInput, readInputs } from "./inputs.js";
import { type LoadedModel, loadModel } from "./loading.js";
import {
  checkLoadOptions,
  checkSelection,
  checkSignal,
  type ForwardFields,
  type ForwardOptions,
  type LoadOptions,
  type Precision,
  readForwardFields,
} from "./options.js";
import { type ForwardResult, wrapResult } from "./results.js";
import type { T5Tokenizer } from "./tokenizer.js";
import { expected, INT32_MAX } from "./validation.js";

/** Names that `forward` doesn't know are errors for the compiler as well. */
type Exact<Options> = Options & { readonly [Name in Exclude<keyof Options, keyof ForwardOptions>]: never };

/** A T5 model in memory. Calls run one after the other on a thread of its own, never on the event loop. */
export class T5ForConditionalGeneration {
  readonly config: T5Config;
  readonly generationConfig: GenerationConfig;
  /** Undefined for a model that was exported without its tokenizer; it takes ids only. */
  readonly tokenizer: T5Tokenizer | undefined;
  /** Where it runs: "cpu", "cuda:0". */
  readonly device: string;
  readonly precision: Precision;
  readonly #native: NativeModel;
  readonly #release: (buffer: ArrayBufferLike) => void;
  #lastId = 0;
  #isDisposed = false;

  private constructor({ directory, tokenizer, precision, native, release }: LoadedModel) {
    this.config = directory.config;
    this.generationConfig = directory.generationConfig;
    this.tokenizer = tokenizer;
    this.device = native.device;
    this.precision = precision;
    this.#native = native;
    this.#release = release;
  }

  /**
   * Loads a directory that `torch-t5 export` wrote, after every file in it proved to be what its manifest says.
   *
   * Rejects with ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT, ERR_LIBTORCH_NOT_FOUND,
   * ERR_LIBTORCH_VERSION, ERR_DEVICE_UNAVAILABLE, ERR_OUT_OF_MEMORY or ERR_INTERNAL.
   */
  static async fromPretrained(directory: string | URL, options?: LoadOptions): Promise<T5ForConditionalGeneration> {
    const site = captureCallSite(T5ForConditionalGeneration.fromPretrained);
    const path = guarded(site, () => directoryPath(directory));
    const checked = guarded(site, () => checkLoadOptions(options));
    try {
      return new T5ForConditionalGeneration(await loadModel(path, checked));
    } catch (thrown) {
      throw errorFor(thrown, site);
    }
  }

  /**
   * One forward pass. Without `target`, `labels` or `decoderInputIds` the decoder is given its start id, so that the
   * logits are those of the first token.
   *
   * Resolves to `{ logits: [batch, targetLength, vocabSize] }`, where `logits[b][t]` predicts `labels[b][t]`; options
   * select, add and replace, and the type of the result follows from them. Rejects with the signal's reason when it
   * aborts, else with ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_DISPOSED, ERR_QUEUE_FULL, ERR_OUT_OF_MEMORY or
   * ERR_INTERNAL. What is handed in is copied before this returns.
   */
  async forward<const Options extends ForwardOptions = Record<never, never>>(
    input: ForwardInput,
    options?: Exact<Options>,
  ): Promise<ForwardResult<Options>> {
    const site = captureCallSite(T5ForConditionalGeneration.prototype.forward);
    const { fields, signal } = guarded(site, () => this.#readOptions(options));
    if (signal?.aborted) throw signal.reason;
    const request = guarded(site, () => this.#request(input, fields));
    const pending = this.#run(request, site);
    const result = await abortable(pending, signal, () => this.#native.cancel(request.id));
    return wrapResult<Options>(result, this.#release);
  }

  /** Waits for the calls that were accepted, then frees the model; later calls reject with ERR_DISPOSED. Idempotent. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await this.#native.dispose();
  }

  /** The same as `dispose()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #readOptions(options: unknown): { readonly fields: ForwardFields; readonly signal: AbortSignal | undefined } {
    if (this.#isDisposed) throw new T5Error("ERR_DISPOSED", "Expected a model in use for forward but it was disposed");
    const fields = readForwardFields(options);
    return { fields, signal: checkSignal(fields) };
  }

  #request(input: unknown, fields: ForwardFields): NativeForwardRequest {
    const { source, attentionMask, decoder, labels } = readInputs(input, this);
    const { positions, tokens, topK, hiddenStates, loss } = checkSelection(fields, decoder, this.config.vocabSize);
    if (loss && labels === undefined) throw expected("target or labels, as options.loss is true,", "input", undefined);
    const size = source.batch * (positions?.length ?? decoder.length) * (tokens?.length ?? this.config.vocabSize);
    if (size > INT32_MAX) {
      throw expected(`at most ${INT32_MAX} logits (positions, tokens and smaller batches ask for less)`, "input", size);
    }
    return {
      id: ++this.#lastId,
      batch: source.batch,
      sourceLength: source.length,
      targetLength: decoder.length,
      inputIds: source.data,
      attentionMask,
      decoderInputIds: decoder.data,
      labels: loss ? labels : undefined,
      positions,
      tokens,
      topK,
      hiddenStates,
      head: undefined,
    };
  }

  async #run(request: NativeForwardRequest, site: CallSite): Promise<NativeForwardResult> {
    try {
      return await this.#native.forward(request);
    } catch (thrown) {
      throw errorFor(thrown, site);
    }
  }
}

/** What `read` returns. Whatever it throws, code of the caller's included, becomes a T5Error with the caller's stack. */
function guarded<Result>(site: CallSite, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof T5Error) throw errorFor(thrown, site);
    const message = "Expected arguments that can be read but received one that throws";
    throw errorFor(new T5Error("ERR_INVALID_ARGUMENT", message, { cause: thrown }), site);
  }
}
