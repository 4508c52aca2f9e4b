// Everything public.

export type { EmbedOptions } from "./calls/embed.js";
export { type EncoderInput, EncoderOutput, type Source } from "./calls/encoder-output.js";
export { Head } from "./calls/head.js";
export type { Documents, PromptTemplate, RankedDocument, RerankOptions } from "./calls/rerank.js";
export type {
  DecoderHiddenStatesResult,
  DecodingResult,
  ForwardResult,
  HeadResult,
  HiddenStatesResult,
  LogitsResult,
  LossResult,
  TopKResult,
} from "./calls/results.js";
export type { ScoreOptions, ScoreReduction, ScoreTargets, TargetScore, TokenScores } from "./calls/score.js";
export type { ForwardOptions, SelectionOptions } from "./calls/selection.js";
export { type DecodingOptions, DecodingSession, type PrefillOptions, type StepOptions } from "./calls/session.js";
export type { GenerateLogits, GenerateResult, GenerateScores, GenerateSequences } from "./generation/generate.js";
export type {
  GenerateOptions,
  GenerationSettings,
  LogitsProcessor,
  LogitsStep,
  StreamOptions,
} from "./generation/options.js";
export type { DecoderPrompt, EncoderOutputSource, GenerateInput } from "./generation/request.js";
export { type StreamedLogits, type StreamedToken, TokenStream } from "./generation/stream.js";
export type { DecoderInput, ForwardInput } from "./inputs/forward-input.js";
export type { FlatIds, TokenIds } from "./inputs/ids.js";
export type { IdSource, TextSource, TokenizedSource, TokenizedSource as EncodedSource } from "./inputs/source.js";
export type { GenerationConfig, T5Config } from "./loading/config.js";
export { readManifest } from "./loading/directory.js";
export type { Device, LoadOptions, Precision } from "./loading/load-options.js";
export type { Manifest, ManifestFile } from "./loading/manifest.js";
export { T5ForConditionalGeneration } from "./model.js";
export type { Libtorch } from "./native/libtorch.js";
export { demoModel, type RuntimeInfo, runtimeInfo } from "./native/runtime-info.js";
export { DecodeStream } from "./tokenizer/decode-stream.js";
export type { IdRow } from "./tokenizer/padded-batch.js";
export {
  type BatchEncoding,
  type DecodeOptions,
  type EncodeBatchOptions,
  type EncodeOptions,
  type Encoding,
  T5Tokenizer,
} from "./tokenizer/t5-tokenizer.js";
export type { SignalOption } from "./util/call-options.js";
export { T5Error, type T5ErrorCode } from "./util/errors.js";
export { Tensor, type TensorData, type TopK } from "./util/tensor.js";

// For the command line and the documentation only: no part of the package's types.

/** @internal */
export { SCORE_REDUCTIONS } from "./calls/score.js";
/** @internal */
export { PRECISIONS } from "./loading/load-options.js";
/** @internal */
export { logSumExp } from "./util/reductions.js";
