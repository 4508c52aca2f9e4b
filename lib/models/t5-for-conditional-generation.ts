// The model with encoder and decoder: passes each call to the file of its name.
import { Call } from "../calls/call.js";
import { type Embeddings, type EmbedOptions, embed } from "../calls/embed.js";
import { type EncoderInput, type EncoderOutput, encode, type Source } from "../calls/encoder-output.js";
import { type ForwardInput, type ForwardOptions, type ForwardResult, forward } from "../calls/forward.js";
import { type Head, type LoadHeadOptions, loadHead } from "../calls/head.js";
import { type Documents, type RankedDocument, type RerankOptions, rerank } from "../calls/rerank.js";
import { type ScoreOptions, type ScoreTargets, score, type TargetScore } from "../calls/score.js";
import { checkGenerationConfig, type DefaultsReader } from "../generation/config.js";
import { type GenerateResult, generate } from "../generation/generate.js";
import type { GenerateOptions, ProcessorOption, StreamOptions } from "../generation/options.js";
import type { GenerateInput } from "../generation/request.js";
import { type StreamedToken, TokenStream } from "../generation/stream.js";
import type { GenerationConfig } from "../loading/config.js";
import type { LoadedModel, LoadOptions } from "../loading/load.js";
import type { CallOptions, Exact } from "../util/call-options.js";
import { handleOf, LoadedT5, load, partsOf } from "./loaded-t5.js";

/**
 * A T5 model in memory. Its calls run on a thread of their own, never on the event loop, and several of them together. No
 * answer depends on the calls that run at the same time.
 */
export class T5ForConditionalGeneration extends LoadedT5 {
  #defaults: { readonly of: LoadedModel; readonly reader: DefaultsReader } | undefined;

  /** The entries of generation_config.json, unchecked; `generate` takes its defaults from them. */
  declare readonly generationConfig: GenerationConfig;

  private constructor(loaded: LoadedModel) {
    super(loaded, ({ directory: { config, generationConfig } }) => ({ config, generationConfig }));
  }

  /**
   * Loads a directory that `torch-t5 export` wrote, after a comparison of every file with the manifest's hashes; or a
   * Hugging Face directory with config.json and safetensors files, in every precision but "exact".
   *
   * A name on the hub, which nothing local has, is downloaded into Hugging Face's cache unless it is there.
   *
   * Rejects with the signal's reason, with what `progress` throws, or with ERR_INVALID_ARGUMENT, also for an export of
   * another class, ERR_MODEL_NOT_FOUND, ERR_MODEL_ACCESS_DENIED, ERR_DOWNLOAD_FAILED, ERR_MODEL_CORRUPT,
   * ERR_MODEL_UNTRUSTED, ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_VERSION, ERR_DEVICE_UNAVAILABLE, ERR_OUT_OF_MEMORY or
   * ERR_INTERNAL.
   */
  static async fromPretrained(directory: string | URL, options?: LoadOptions): Promise<T5ForConditionalGeneration> {
    const open = (loaded: LoadedModel) => new T5ForConditionalGeneration(loaded);
    return load("generation", directory, options, open, T5ForConditionalGeneration.fromPretrained);
  }

  /**
   * One forward pass. Without `target`, `labels` or `decoderInputIds` the decoder reads its start id, so that the
   * logits are those of the first token.
   *
   * Resolves to `{ logits: [batch, targetLength, vocabSize] }`, where `logits[b][t]` predicts `labels[b][t]`. Options
   * select logits, add results and replace them, and the type of the result follows from the options.
   *
   * This method and every one below copy their arguments before they return. They reject with the signal's reason when
   * it aborts, else with ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_DISPOSED, ERR_QUEUE_FULL, ERR_TIMEOUT,
   * ERR_OUT_OF_MEMORY or ERR_INTERNAL.
   */
  async forward<const Options extends ForwardOptions = Record<never, never>>(
    input: ForwardInput,
    options?: Exact<Options, ForwardOptions>,
  ): Promise<ForwardResult<Options>> {
    const call = new Call(handleOf(this), "forward", T5ForConditionalGeneration.prototype.forward);
    return call.toEnd(forward<ForwardResult<Options>>(call, input, options));
  }

  /** The encoder's output, `[batch, sourceLength, dModel]`, kept on the device for any number of decodings. */
  async encode(source: EncoderInput, options?: CallOptions): Promise<EncoderOutput> {
    const call = new Call(handleOf(this), "encode", T5ForConditionalGeneration.prototype.encode);
    return call.toEnd(encode(call, source, options));
  }

  /**
   * Generates the tokens of Hugging Face's `generate`: greedily, by sampling, or by beam search. The options are
   * Hugging Face's. Their defaults are those of generation_config.json, else Hugging Face's own. An option that Hugging
   * Face ignores with a warning is refused.
   *
   * Resolves to `{ sequences: [rows, length], texts }`, with `rows` of `batch x numReturnSequences`, and to more if the
   * options ask for it. Rejects also with ERR_MODEL_CORRUPT for an invalid value in generation_config.json.
   */
  async generate<const Options extends GenerateOptions = Record<never, never>>(
    input: GenerateInput,
    options?: Exact<Options, GenerateOptions> & ProcessorOption,
  ): Promise<GenerateResult<Options>> {
    const call = new Call(handleOf(this), "generate", T5ForConditionalGeneration.prototype.generate);
    // The result has exactly what the options ask for.
    return (await call.toEnd(generate(call, this.#defaultsReader(), input, options))) as GenerateResult<Options>;
  }

  /**
   * The tokens of one or several sequences. Up to two steps are computed before `next()` asks for their tokens. Wrong
   * arguments reject the first `next()`. Leaving the loop frees the generation at once.
   */
  stream<const Options extends StreamOptions = Record<never, never>>(
    input: GenerateInput,
    options?: Exact<Options, StreamOptions> & ProcessorOption,
  ): TokenStream<StreamedToken<Options>> {
    const call = new Call(handleOf(this), "stream", T5ForConditionalGeneration.prototype.stream);
    return TokenStream.of(call, this.#defaultsReader(), input, options);
  }

  /**
   * The log-probabilities of each target's tokens under teacher forcing, and their sum or mean. `source` has one row,
   * which is encoded once for all targets, or one row per target.
   */
  async score<const Options extends ScoreOptions = Record<never, never>>(
    source: Source,
    targets: ScoreTargets,
    options?: Exact<Options, ScoreOptions>,
  ): Promise<readonly TargetScore<Options>[]> {
    const call = new Call(handleOf(this), "score", T5ForConditionalGeneration.prototype.score);
    return (await call.toEnd(score(call, source, targets, options))) as readonly TargetScore<Options>[];
  }

  /**
   * Documents sorted by their relevance to a query, the most relevant first, as monoT5 (Nogueira et al., 2020) computes
   * it, or with `pairwise` duoT5 (Pradeep et al., 2021). Documents are read batch by batch. Rejects also with what an
   * iterator or a template function throws; an iterator that isn't read to its end is closed.
   */
  async rerank(query: string, documents: Documents, options?: RerankOptions): Promise<readonly RankedDocument[]> {
    const call = new Call(handleOf(this), "rerank", T5ForConditionalGeneration.prototype.rerank);
    return call.toEnd(rerank(call, query, documents, options));
  }

  /** One vector per row of the source, `[batch, dModel]`, pooled from the encoder's output as Sentence-T5 does. */
  async embed(source: Source, options?: EmbedOptions): Promise<Embeddings> {
    const call = new Call(handleOf(this), "embed", T5ForConditionalGeneration.prototype.embed);
    return call.toEnd(embed(call, source, options));
  }

  /**
   * Loads a TorchScript module for the `head` option of `forward`. The names of its `forward`'s parameters select what
   * it reads. Rejects also with ERR_MODEL_NOT_FOUND if there is no such file, with ERR_MODEL_UNTRUSTED for code that
   * computes with more than tensors, unless `trusted` is true, and with ERR_MODEL_CORRUPT for a module that can't be
   * used.
   */
  async loadHead(path: string | URL, options?: LoadHeadOptions): Promise<Head> {
    const call = new Call(handleOf(this), "loadHead", T5ForConditionalGeneration.prototype.loadHead);
    return call.toEnd(loadHead(call, path, options));
  }

  /** Checks generation_config.json once for each model that is loaded. */
  #defaultsReader(): DefaultsReader {
    const of = partsOf(this);
    if (this.#defaults?.of !== of) {
      this.#defaults = { of, reader: checkGenerationConfig(this.generationConfig, this.config.vocabSize) };
    }
    return this.#defaults.reader;
  }
}
