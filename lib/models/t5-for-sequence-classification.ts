// The classifier of texts: passes each call to the file of its name.
import { Call } from "../calls/call.js";
import { type ClassificationResult, forwardClassifier } from "../calls/classification.js";
import { type ClassifyOptions, classify, type LabelScore } from "../calls/classify.js";
import type { EncoderInput } from "../calls/encoder-output.js";
import type { LoadedModel, LoadOptions } from "../loading/load.js";
import type { CallOptions } from "../util/call-options.js";
import { type ClassifierConfig, handleOf, LoadedT5, load } from "./loaded-t5.js";

/** A T5 that classifies texts. Its calls run on a thread of their own, as those of `T5ForConditionalGeneration`. */
export class T5ForSequenceClassification extends LoadedT5<ClassifierConfig> {
  private constructor(loaded: LoadedModel) {
    super(loaded, ({ directory, labels }) => ({ config: Object.freeze({ ...directory.config, ...labels }) }));
  }

  /**
   * Loads a directory that `torch-t5 export` wrote, or one of Hugging Face, of a T5ForSequenceClassification or of the
   * classes like it for mT5 and UMT5. Every file of an export is compared with the manifest's hashes first.
   *
   * A name on the hub, which nothing local has, is downloaded into Hugging Face's cache unless it is there.
   *
   * Rejects with the signal's reason, with what `progress` throws, or with ERR_INVALID_ARGUMENT, also for an export of
   * another class, ERR_MODEL_NOT_FOUND, ERR_MODEL_ACCESS_DENIED, ERR_DOWNLOAD_FAILED, ERR_MODEL_CORRUPT,
   * ERR_MODEL_UNTRUSTED, ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_VERSION, ERR_DEVICE_UNAVAILABLE, ERR_OUT_OF_MEMORY or
   * ERR_INTERNAL.
   */
  static async fromPretrained(directory: string | URL, options?: LoadOptions): Promise<T5ForSequenceClassification> {
    const open = (loaded: LoadedModel) => new T5ForSequenceClassification(loaded);
    return load("sequenceClassification", directory, options, open, T5ForSequenceClassification.fromPretrained);
  }

  /**
   * One pass: `{ logits: [batch, numLabels] }`. As in Hugging Face, the decoder reads the ids shifted right, and its
   * state at the last end-of-sequence id stands for the row. Refuses rows without an end-of-sequence id, and rows with
   * different numbers of them.
   *
   * This method and every one below copy their arguments before they return. They reject with the signal's reason when
   * it aborts, else with ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_DISPOSED, ERR_QUEUE_FULL, ERR_TIMEOUT,
   * ERR_OUT_OF_MEMORY or ERR_INTERNAL.
   */
  async forward(input: EncoderInput, options?: CallOptions): Promise<ClassificationResult> {
    const call = new Call(handleOf(this), "forward", T5ForSequenceClassification.prototype.forward);
    return call.toEnd(forwardClassifier(call, this.config, input, options));
  }

  /**
   * The labels of a text with their scores, the highest first, as Hugging Face's TextClassificationPipeline computes
   * them. Of an array of texts, an array with those of each text. No text is truncated.
   */
  async classify(text: string, options?: ClassifyOptions): Promise<readonly LabelScore[]>;
  async classify(texts: readonly string[], options?: ClassifyOptions): Promise<readonly (readonly LabelScore[])[]>;
  async classify(
    texts: string | readonly string[],
    options?: ClassifyOptions,
  ): Promise<readonly LabelScore[] | readonly (readonly LabelScore[])[]> {
    const call = new Call(handleOf(this), "classify", T5ForSequenceClassification.prototype.classify);
    return call.toEnd(classify(call, this.config, texts, options));
  }
}
