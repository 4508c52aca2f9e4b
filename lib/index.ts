// Everything public. The modules below it, in the order in which each may import only those before it:
// errors, describe, validation, config, manifest, hash, hash-worker, directory, reductions, tensor, batch, ids, memory, libtorch,
// boundary, architecture, native, tokenization/, tokenizer, abort, call, call-options, head, options, results, source,
// inputs, session, encoder-output, forward, generation-settings, generation-config, generation-options, generation-merging,
// generation-request, generation, stream, scoring, reranking, embedding, loading, model, runtime.
export type { SignalOption } from "./call-options.js";
export type { GenerationConfig, T5Config } from "./config.js";
export type { EmbedOptions } from "./embedding.js";
export { type EncoderInput, EncoderOutput, type Source } from "./encoder-output.js";
export { T5Error, type T5ErrorCode } from "./errors.js";
export type { GenerateLogits, GenerateResult, GenerateScores, GenerateSequences } from "./generation.js";
export type {
  GenerateOptions,
  GenerationSettings,
  LogitsProcessor,
  LogitsStep,
  StreamOptions,
} from "./generation-options.js";
export type { DecoderPrompt, EncoderOutputSource, GenerateInput } from "./generation-request.js";
export { Head } from "./head.js";
export type { FlatIds, IdRow, TokenIds } from "./ids.js";
export type { DecoderInput, ForwardInput } from "./inputs.js";
export type { Libtorch } from "./libtorch.js";
export type { Manifest, ManifestFile } from "./manifest.js";
export { T5ForConditionalGeneration } from "./model.js";
export type { Device, ForwardOptions, LoadOptions, Precision, SelectionOptions } from "./options.js";
export type { Documents, PromptTemplate, RankedDocument, RerankOptions } from "./reranking.js";
export type {
  DecoderHiddenStatesResult,
  DecodingResult,
  ForwardResult,
  HeadResult,
  HiddenStatesResult,
  LogitsResult,
  LossResult,
  TopKResult,
} from "./results.js";
export { demoModel, type RuntimeInfo, readManifest, runtimeInfo } from "./runtime.js";
export type { ScoreOptions, ScoreReduction, ScoreTargets, TargetScore, TokenScores } from "./scoring.js";
export { type DecodingOptions, DecodingSession, type PrefillOptions, type StepOptions } from "./session.js";
export type { EncodedSource, IdSource, TextSource } from "./source.js";
export { type StreamedLogits, type StreamedToken, TokenStream } from "./stream.js";
export { Tensor, type TensorData, type TopK } from "./tensor.js";
export { DecodeStream } from "./tokenization/decode-stream.js";
export {
  type BatchEncoding,
  type DecodeOptions,
  type EncodeBatchOptions,
  type EncodeOptions,
  type Encoding,
  T5Tokenizer,
} from "./tokenizer.js";
