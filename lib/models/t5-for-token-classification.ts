// The classifier of tokens: passes each call to the file of its name.
import { Call } from "../calls/call.js";
import { type ClassificationResult, forwardClassifier } from "../calls/classification.js";
import {
  type ClassifyTokensOptions,
  classifyTokens,
  type EntityGroup,
  type TokenLabel,
} from "../calls/classify-tokens.js";
import type { EncoderInput } from "../calls/encoder-output.js";
import type { LoadedModel, LoadOptions } from "../loading/load.js";
import type { CallOptions } from "../util/call-options.js";
import { type ClassifierConfig, handleOf, LoadedT5, load } from "./loaded-t5.js";

/** What `classify` returns for a text: groups with the strategy "simple", else the labels of tokens. */
export type ClassifiedTokens<Options> = Options extends { readonly aggregationStrategy: "simple" }
  ? readonly EntityGroup[]
  : readonly TokenLabel[];

/**
 * The encoder of a T5 that classifies tokens. Its calls run on a thread of their own, as those of
 * `T5ForConditionalGeneration`.
 */
export class T5ForTokenClassification extends LoadedT5<ClassifierConfig> {
  private constructor(loaded: LoadedModel) {
    super(loaded, ({ directory, labels }) => ({ config: Object.freeze({ ...directory.config, ...labels }) }));
  }

  /**
   * Loads a directory that `torch-t5 export` wrote, or one of Hugging Face, of a T5ForTokenClassification or of the
   * classes like it for mT5 and UMT5. Every file of an export is compared with the manifest's hashes first.
   *
   * A name on the hub, which nothing local has, is downloaded into Hugging Face's cache unless it is there.
   *
   * Rejects with the signal's reason, with what `progress` throws, or with ERR_INVALID_ARGUMENT, also for an export of
   * another class, ERR_MODEL_NOT_FOUND, ERR_MODEL_ACCESS_DENIED, ERR_DOWNLOAD_FAILED, ERR_MODEL_CORRUPT,
   * ERR_MODEL_UNTRUSTED, ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_VERSION, ERR_DEVICE_UNAVAILABLE, ERR_OUT_OF_MEMORY or
   * ERR_INTERNAL.
   */
  static async fromPretrained(directory: string | URL, options?: LoadOptions): Promise<T5ForTokenClassification> {
    const open = (loaded: LoadedModel) => new T5ForTokenClassification(loaded);
    return load("tokenClassification", directory, options, open, T5ForTokenClassification.fromPretrained);
  }

  /**
   * One pass: `{ logits: [batch, sourceLength, numLabels] }`. On the CPU, every precision but "exact" computes those of
   * padding from a state of zeros.
   *
   * This method and every one below copy their arguments before they return. They reject with the signal's reason when
   * it aborts, else with ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_DISPOSED, ERR_QUEUE_FULL, ERR_TIMEOUT,
   * ERR_OUT_OF_MEMORY or ERR_INTERNAL.
   */
  async forward(input: EncoderInput, options?: CallOptions): Promise<ClassificationResult> {
    const call = new Call(handleOf(this), "forward", T5ForTokenClassification.prototype.forward);
    return call.toEnd(forwardClassifier(call, this.config, input, options));
  }

  /**
   * The labels of a text's tokens, with the part of the text that each stands for, as Hugging Face's
   * TokenClassificationPipeline computes them. Of an array of texts, an array with those of each text. Labels "O" are
   * left out by default. No text is truncated.
   */
  async classify<const Options extends ClassifyTokensOptions = Record<never, never>>(
    text: string,
    options?: Options,
  ): Promise<ClassifiedTokens<Options>>;
  async classify<const Options extends ClassifyTokensOptions = Record<never, never>>(
    texts: readonly string[],
    options?: Options,
  ): Promise<readonly ClassifiedTokens<Options>[]>;
  async classify(texts: string | readonly string[], options?: ClassifyTokensOptions): Promise<unknown> {
    const call = new Call(handleOf(this), "classify", T5ForTokenClassification.prototype.classify);
    return call.toEnd(classifyTokens(call, this.config, texts, options));
  }
}
