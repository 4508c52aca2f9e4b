// Everything public, by topic.

// For consumers without Node's types.
/// <reference lib="esnext.disposable" preserve="true" />

// The model, and loading it.

export type { ModelKind } from "./loading/architectures.js";
export type { GenerationConfig, T5Config } from "./loading/config.js";
export type { Activation, EmbeddingConfig, EmbeddingModule, Pooling } from "./loading/embedding.js";
export type { Labels, ProblemType } from "./loading/labels.js";
export type { Device, LoadOptions, ModelLimits, Precision, ReplicaDevice } from "./loading/load.js";
export { type Manifest, type ManifestFile, readManifest } from "./loading/manifest.js";
export { readModelKind } from "./loading/model-kind.js";
export type { ClassifierConfig } from "./models/loaded-t5.js";
export { T5EncoderModel } from "./models/t5-encoder-model.js";
export { T5ForConditionalGeneration } from "./models/t5-for-conditional-generation.js";
export { T5ForSequenceClassification } from "./models/t5-for-sequence-classification.js";
export { type ClassifiedTokens, T5ForTokenClassification } from "./models/t5-for-token-classification.js";

// Models on the hub, and the cache of those that were downloaded.

export { type CachedModel, type CacheOptions, cachedModels, deleteCachedModel } from "./hub/cached-models.js";
export { downloadModel } from "./hub/download-model.js";
export type { DownloadProgress, HubOptions } from "./hub/options.js";

// Inputs: texts, ids, masks and labels.

export type { DecoderInput } from "./inputs/decoder-input.js";
export type { FlatIds, TokenIds } from "./inputs/ids.js";
// EncodedSource is the old name of TokenizedSource.
export type { IdSource, TextSource, TokenizedSource, TokenizedSource as EncodedSource } from "./inputs/source.js";
export type { IdRow } from "./tokenizer/padded-batch.js";

// `forward`: logits, losses, hidden states, and heads on them.

export type {
  ForwardInput,
  ForwardOptions,
  ForwardResult,
  HeadResult,
  HiddenStatesResult,
  LossResult,
} from "./calls/forward.js";
export type { EncoderForwardResult } from "./calls/forward-encoder.js";
export { Head, type LoadHeadOptions } from "./calls/head.js";

export type {
  AttentionsResult,
  DecoderAttentionsResult,
  DecoderLayersResult,
  LayersResult,
} from "./calls/layer-outputs.js";
export type {
  DecoderHiddenStatesResult,
  LogitsResult,
  SelectionOptions,
  TopKResult,
  TruncationResult,
} from "./calls/results.js";

// `encode`, and decoding step by step.

export { type EncoderInput, EncoderOutput, type Source } from "./calls/encoder-output.js";
export type { DecodingResult } from "./calls/results.js";
export { type DecodingOptions, DecodingSession, type PrefillOptions, type StepOptions } from "./calls/session.js";

// `generate` and `stream`.

export type {
  GenerateLogits,
  GenerateLogProbs,
  GenerateResult,
  GenerateScores,
  GenerateSequences,
} from "./generation/generate.js";
export type {
  GenerateOptions,
  GenerationSettings,
  LogitsProcessor,
  LogitsStep,
  StreamOptions,
} from "./generation/options.js";
export type { DecoderPrompt, EncoderOutputSource, GenerateInput } from "./generation/request.js";
export {
  type StreamedLogits,
  type StreamedLogProbs,
  type StreamedToken,
  type TokenLogProb,
  TokenStream,
} from "./generation/stream.js";
export type { FinishReason } from "./native/types.js";

// Classifiers.

export type { ClassificationResult } from "./calls/classification.js";
export type { ClassifyOptions, LabelFunction, LabelScore } from "./calls/classify.js";
export type { AggregationStrategy, ClassifyTokensOptions, EntityGroup, TokenLabel } from "./calls/classify-tokens.js";

// `score`, `rerank` and `embed`.

export type { Embeddings, EmbedOptions } from "./calls/embed.js";
export type { PromptTemplate } from "./calls/prompt.js";
export type { Documents, RankedDocument, RerankOptions } from "./calls/rerank.js";
export type { ScoreOptions, ScoreReduction, ScoreTargets, TargetScore, TokenScores } from "./calls/score.js";

// The tokenizer.

export { DecodeStream } from "./tokenizer/decode-stream.js";
export {
  type BatchEncoding,
  type DecodeOptions,
  type EncodeBatchOptions,
  type EncodeOptions,
  type Encoding,
  type SpecialTokensOption,
  T5Tokenizer,
} from "./tokenizer/t5-tokenizer.js";
export type { TruncationOptions } from "./tokenizer/truncation.js";

// Tensors, errors, and the option of every call.

export type { CallOptions, SignalOption } from "./util/call-options.js";
export { T5Error, type T5ErrorCode } from "./util/errors.js";
export { Tensor, type TensorData, type TensorSummary, type TopK } from "./util/tensor.js";

// What a service observes.

export type { ModelStats, Quantiles, ReplicaStats, SchedulerStats } from "./calls/stats.js";
export type { DisposeOptions } from "./models/loaded-t5.js";
export { REQUEST_CHANNEL, type RequestEvent } from "./native/request-events.js";

// The installation.

export type { Libtorch } from "./native/libtorch.js";
export { demoModel, type RuntimeInfo, runtimeInfo } from "./native/runtime-info.js";

// For the command line and the documentation only: no part of the package's types.

/** @internal */
export { LABEL_FUNCTIONS } from "./calls/classify.js";
/** @internal */
export { AGGREGATION_STRATEGIES } from "./calls/classify-tokens.js";
/** @internal */
export { SCORE_REDUCTIONS } from "./calls/score.js";
/** @internal */
export { GENERATION_OPTIONS, type GenerationOption, OPTION_GROUPS } from "./generation/option-table.js";
/** @internal */
export { POOLINGS } from "./loading/embedding.js";
/** @internal */
export { exportCommand } from "./loading/export-command.js";
/** @internal */
export { PRECISIONS, readKind } from "./loading/load.js";
/** @internal */
export { readSafetensors, type StoredTensor } from "./loading/safetensors.js";
/** @internal */
export { logSumExp } from "./util/reductions.js";
