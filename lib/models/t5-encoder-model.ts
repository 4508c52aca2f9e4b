// The encoder alone: passes each call to the file of its name.
import { Call } from "../calls/call.js";
import { type Embeddings, type EmbedOptions, embed } from "../calls/embed.js";
import { type EncoderInput, type EncoderOutput, encode, type Source } from "../calls/encoder-output.js";
import { type EncoderForwardResult, forwardEncoder } from "../calls/forward-encoder.js";
import type { EmbeddingConfig } from "../loading/embedding.js";
import type { LoadedModel, LoadOptions } from "../loading/load.js";
import type { CallOptions } from "../util/call-options.js";
import { handleOf, LoadedT5, load } from "./loaded-t5.js";

/** The encoder of a T5 in memory. Its calls run on a thread of their own, as those of `T5ForConditionalGeneration`. */
export class T5EncoderModel extends LoadedT5 {
  /** How `embed` makes vectors; undefined unless the model is that of a sentence-transformers directory. */
  declare readonly embeddingConfig: EmbeddingConfig | undefined;

  private constructor(loaded: LoadedModel) {
    super(loaded, ({ directory }) => ({ config: directory.config, embeddingConfig: directory.embedding }));
  }

  /**
   * Loads a directory that `torch-t5 export` wrote, or one of Hugging Face: an encoder, also one of sentence-transformers
   * with its modules, or a whole model, of which only the encoder is used. Every file of an export is compared with the manifest's hashes first.
   *
   * A name on the hub, which nothing local has, is downloaded into Hugging Face's cache unless it is there.
   *
   * Rejects with the signal's reason, with what `progress` throws, or with ERR_INVALID_ARGUMENT, also for an export of
   * another class, ERR_MODEL_NOT_FOUND, ERR_MODEL_ACCESS_DENIED, ERR_DOWNLOAD_FAILED, ERR_MODEL_CORRUPT,
   * ERR_MODEL_UNTRUSTED, ERR_LIBTORCH_NOT_FOUND, ERR_LIBTORCH_VERSION, ERR_DEVICE_UNAVAILABLE, ERR_OUT_OF_MEMORY or
   * ERR_INTERNAL.
   */
  static async fromPretrained(directory: string | URL, options?: LoadOptions): Promise<T5EncoderModel> {
    return load("encoder", directory, options, (loaded) => new T5EncoderModel(loaded), T5EncoderModel.fromPretrained);
  }

  /**
   * One pass: `{ lastHiddenState: [batch, sourceLength, dModel] }`, after the final layer norm. On the CPU, every
   * precision but "exact" leaves 0 at padding.
   *
   * This method and every one below copy their arguments before they return. They reject with the signal's reason when
   * it aborts, else with ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_DISPOSED, ERR_QUEUE_FULL, ERR_TIMEOUT,
   * ERR_OUT_OF_MEMORY or ERR_INTERNAL.
   */
  async forward(input: EncoderInput, options?: CallOptions): Promise<EncoderForwardResult> {
    const call = new Call(handleOf(this), "forward", T5EncoderModel.prototype.forward);
    return call.toEnd(forwardEncoder(call, input, options));
  }

  /** The encoder's output, `[batch, sourceLength, dModel]`, kept on the device for any number of calls of `embed`. */
  async encode(source: EncoderInput, options?: CallOptions): Promise<EncoderOutput> {
    const call = new Call(handleOf(this), "encode", T5EncoderModel.prototype.encode);
    return call.toEnd(encode(call, source, options));
  }

  /**
   * One vector per row of the source, `[batch, columns]`: by default that of `SentenceTransformer.encode`, if the model is
   * that of a sentence-transformers directory, else the mean of the hidden states, `[batch, dModel]`.
   */
  async embed(source: Source, options?: EmbedOptions): Promise<Embeddings> {
    const call = new Call(handleOf(this), "embed", T5EncoderModel.prototype.embed);
    return call.toEnd(embed(call, source, options));
  }
}
