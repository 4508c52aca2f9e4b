// The public model: loads an exported directory, and hands each call to the file that is about it.
import { Call, guarded, ModelHandle } from "./calls/call.js";
import { type EmbedOptions, embed } from "./calls/embed.js";
import { type EncoderInput, type EncoderOutput, encode, type Source } from "./calls/encoder-output.js";
import { forward } from "./calls/forward.js";
import { type Head, loadHead } from "./calls/head.js";
import { type Documents, type RankedDocument, type RerankOptions, rerank } from "./calls/rerank.js";
import { type ForwardResult, wrapResult } from "./calls/results.js";
import { type ScoreOptions, type ScoreTargets, score, type TargetScore } from "./calls/score.js";
import type { ForwardOptions } from "./calls/selection.js";
import { type GenerateResult, generate } from "./generation/generate.js";
import type { GenerateOptions, ProcessorOption, StreamOptions } from "./generation/options.js";
import type { GenerateInput } from "./generation/request.js";
import { type StreamedToken, TokenStream } from "./generation/stream.js";
import type { ForwardInput } from "./inputs/forward-input.js";
import type { GenerationConfig, T5Config } from "./loading/config.js";
import { type LoadedModel, loadModel } from "./loading/load.js";
import { checkLoadOptions, type LoadOptions, type Precision } from "./loading/load-options.js";
import type { T5Tokenizer } from "./tokenizer/t5-tokenizer.js";
import type { Exact, SignalOption } from "./util/call-options.js";
import { captureCallSite, errorFor } from "./util/errors.js";
import { readPath } from "./util/paths.js";
import type { Tensor } from "./util/tensor.js";

/** A T5 model in memory. Calls run one after the other on a thread of its own, never on the event loop. */
export class T5ForConditionalGeneration {
  readonly config: T5Config;
  readonly generationConfig: GenerationConfig;
  /** Undefined for a model that was exported without its tokenizer; it takes ids only. */
  readonly tokenizer: T5Tokenizer | undefined;
  /** Where it runs: "cpu", "cuda:0". */
  readonly device: string;
  readonly precision: Precision;
  readonly #handle: ModelHandle;

  private constructor({ directory, tokenizer, precision, native, release }: LoadedModel) {
    this.config = directory.config;
    this.generationConfig = directory.generationConfig;
    this.tokenizer = tokenizer;
    this.device = native.device;
    this.precision = precision;
    const materializesAttention = precision === "exact" || native.device !== "cpu";
    this.#handle = new ModelHandle({ ...directory, tokenizer, native, materializesAttention, release });
  }

  /**
   * Loads a directory that `torch-t5 export` wrote, after every file in it proved to be what its manifest says.
   *
   * Rejects with ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT, ERR_LIBTORCH_NOT_FOUND,
   * ERR_LIBTORCH_VERSION, ERR_DEVICE_UNAVAILABLE, ERR_OUT_OF_MEMORY or ERR_INTERNAL.
   */
  static async fromPretrained(directory: string | URL, options?: LoadOptions): Promise<T5ForConditionalGeneration> {
    const site = captureCallSite(T5ForConditionalGeneration.fromPretrained);
    const path = guarded(site, () => readPath(directory, "directory"));
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
   * ERR_INTERNAL, and so does every method below. What is handed in is copied before this returns.
   */
  async forward<const Options extends ForwardOptions = Record<never, never>>(
    input: ForwardInput,
    options?: Exact<Options, ForwardOptions>,
  ): Promise<ForwardResult<Options>> {
    const call = new Call(this.#handle, "forward", T5ForConditionalGeneration.prototype.forward);
    return wrapResult(await forward(call, input, options), this.#handle.release);
  }

  /** The encoder's output, kept on the device for any number of decodings. */
  async encode(source: EncoderInput, options?: SignalOption): Promise<EncoderOutput> {
    return encode(new Call(this.#handle, "encode", T5ForConditionalGeneration.prototype.encode), source, options);
  }

  /**
   * Sequences of tokens, token for token those of Hugging Face's `generate`: greedy, sampled, or by beam search. Options are
   * Hugging Face's, with the defaults of generation_config.json and then Hugging Face's own. What Hugging Face ignores
   * with a warning is refused. Resolves to `{ sequences: [rows, length], texts }`, and more where the options ask for it;
   * rows: `batch x numReturnSequences`.
   */
  async generate<const Options extends GenerateOptions = Record<never, never>>(
    input: GenerateInput,
    options?: Exact<Options, GenerateOptions> & ProcessorOption,
  ): Promise<GenerateResult<Options>> {
    const call = new Call(this.#handle, "generate", T5ForConditionalGeneration.prototype.generate);
    // It has exactly what the options ask for.
    return (await generate(call, input, options)) as GenerateResult<Options>;
  }

  /**
   * The tokens of one sequence as they are generated, each computed when it is asked for. Bad arguments reject the first
   * `next()`. Leaving the loop frees everything at once.
   */
  stream<const Options extends StreamOptions = Record<never, never>>(
    input: GenerateInput,
    options?: Exact<Options, StreamOptions> & ProcessorOption,
  ): TokenStream<StreamedToken<Options>> {
    return TokenStream.of(
      new Call(this.#handle, "stream", T5ForConditionalGeneration.prototype.stream),
      input,
      options,
    );
  }

  /**
   * How probable each target is: the log-probabilities of its tokens under teacher forcing. `source`: one row, which is
   * encoded once for all targets, or as many rows as there are targets.
   */
  async score<const Options extends ScoreOptions = Record<never, never>>(
    source: Source,
    targets: ScoreTargets,
    options?: Exact<Options, ScoreOptions>,
  ): Promise<readonly TargetScore<Options>[]> {
    const call = new Call(this.#handle, "score", T5ForConditionalGeneration.prototype.score);
    return (await score(call, source, targets, options)) as readonly TargetScore<Options>[];
  }

  /**
   * Documents by their relevance to a query, best first, as monoT5 (Nogueira et al., 2020) judges it. Documents are read
   * batch by batch; an iterator that isn't read to its end is closed.
   */
  async rerank(query: string, documents: Documents, options?: RerankOptions): Promise<readonly RankedDocument[]> {
    const call = new Call(this.#handle, "rerank", T5ForConditionalGeneration.prototype.rerank);
    return rerank(call, query, documents, options);
  }

  /** One vector for each row of the source, pooled from the encoder's output as Sentence-T5 does: `[batch, dModel]`. */
  async embed(source: Source, options?: EmbedOptions): Promise<Tensor> {
    return embed(new Call(this.#handle, "embed", T5ForConditionalGeneration.prototype.embed), source, options);
  }

  /**
   * Loads a TorchScript module for the `head` option of `forward`. It reads what its `forward`'s parameters name. Rejects
   * with ERR_MODEL_NOT_FOUND where there is no such file, ERR_MODEL_CORRUPT and ERR_MODEL_UNTRUSTED where it isn't usable.
   */
  async loadHead(path: string | URL, options?: SignalOption): Promise<Head> {
    return loadHead(new Call(this.#handle, "loadHead", T5ForConditionalGeneration.prototype.loadHead), path, options);
  }

  /** Waits for the calls that were accepted, then frees the model; later calls reject with ERR_DISPOSED. Idempotent. */
  async dispose(): Promise<void> {
    this.#handle.isDisposed = true;
    await this.#handle.native.dispose();
  }

  /** The same as `dispose()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
