// Everything public. The modules below it, in the order in which each may import only those before it:
// errors, describe, validation, config, manifest, hash, hash-worker, directory, reductions, tensor, batch, ids, libtorch,
// boundary, native, codec, subword-codec, byte-codec, tokenizer, inputs, options, results, loading, abort, model, runtime.
export type { GenerationConfig, T5Config } from "./config.js";
export { T5Error, type T5ErrorCode } from "./errors.js";
export type { FlatIds, IdRow, TokenIds } from "./ids.js";
export type { DecoderInput, EncodedSource, ForwardInput, IdSource, TextSource } from "./inputs.js";
export type { Libtorch } from "./libtorch.js";
export type { Manifest, ManifestFile } from "./manifest.js";
export { T5ForConditionalGeneration } from "./model.js";
export type { Device, ForwardOptions, LoadOptions, Precision } from "./options.js";
export type { ForwardResult, HiddenStatesResult, LogitsResult, LossResult, TopKResult } from "./results.js";
export { demoModel, type RuntimeInfo, readManifest, runtimeInfo } from "./runtime.js";
export { Tensor, type TensorData, type TopK } from "./tensor.js";
export {
  type BatchEncoding,
  type DecodeOptions,
  type EncodeOptions,
  type Encoding,
  T5Tokenizer,
} from "./tokenizer.js";
