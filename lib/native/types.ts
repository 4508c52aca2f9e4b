// The reference of the boundary to the addon, whose C++ side is native/bindings. Both sides are written by hand.
//
// - Arrays that are passed in are copied before the call returns; returned tensors are views of native memory.
// - Methods throw, and their promises reject with, an Error that has a `code`.
// - `undefined` turns an optional setting off. Defaults are filled in on this side.
import type { PaddedBatch } from "../tokenizer/padded-batch.js";

/** How a call shares the model with others. */
export interface NativeScheduling {
  /** Unique among the calls of a model that have not ended; `cancel` takes it. */
  readonly id: number;
  /** Calls with a higher priority start first. */
  readonly priority: number;
  /** Whether the observer is told of the call's progress. */
  readonly isObserved: boolean;
}

/** "firstToken": a generation has chosen its first token. */
export type NativeProgress = "queued" | "started" | "firstToken";

/**
 * `ms`: since the request was queued. With "queued": the rows of the request, 0 for a step without rows of its own, and
 * the ids that its encoder reads, without padding.
 */
export type NativeObserver = (
  id: number,
  progress: NativeProgress,
  ms: number,
  rows?: number,
  inputTokens?: number,
) => void;

/** What the addon exports. */
export interface NativeAddon {
  load(options: NativeLoadOptions): Promise<NativeModel>;
  /** Detaches the buffer of a returned tensor and frees its memory. Ignores any other buffer. */
  release(buffer: ArrayBufferLike): void;
  info(): NativeInfo;
  /** Sets the function that is told of the progress of observed calls, of all models of this environment. */
  observe(observer: NativeObserver): void;
  /** Aborts every call and ends every thread of this environment, for good. */
  shutDown(): void;
}

export interface NativeLoadOptions {
  /** The file of the model's TorchScript archive; undefined with `storedWeights`. */
  readonly path: string | undefined;
  /** Tensors of safetensors files, which are read instead of an archive. Not for "exact". */
  readonly storedWeights: NativeStoredWeights | undefined;
  /** What to load of it: the whole model, or its encoder. */
  readonly kind: "generation" | "encoder" | "sequenceClassification" | "tokenClassification";
  /** The archives for `outputHiddenStates` and `outputAttentions`, read at their first use. Empty: there is none. */
  readonly hiddenStatesPath: string;
  readonly attentionsPath: string;
  /** "auto", "cpu", "cuda" or "cuda:N". */
  readonly device: string;
  /** The folder of libtorch's libraries. Its CUDA library is opened when a CUDA device is asked for. */
  readonly libtorchDirectory: string;
  /** Threads per operator. 0: PyTorch's default. */
  readonly intraOpThreads: number;
  /** Threads between operators, which can be set once per process. 0: unchanged. */
  readonly interOpThreads: number;
  /** Whether calls share passes; undefined: where that changes no bits. */
  readonly batching?: boolean | undefined;
  /** Waiting calls, without the running one. 0: no limit. */
  readonly maxQueueLength: number;
  /** Rows in a decoding step. */
  readonly maxBatchSize: number;
  /** Encoder and prefill positions in a pass. */
  readonly maxBatchTokens: number;
  /** Bytes of the KV caches of the generations that run. */
  readonly maxCacheBytes: number;
  readonly precision: "exact" | "float32" | "bfloat16" | "int8";
  /** Needed for every precision but "exact", which reads it from the archive. */
  readonly architecture: NativeArchitecture | undefined;
}

/**
 * The weights of a model, by Hugging Face's names without the prefix "transformer.". With a decoder, `shared.weight`, and
 * of the other embeddings and `lm_head.weight` those that the files have; without one, `encoder.embed_tokens.weight`.
 */
export interface NativeStoredWeights {
  /** `bytes`: the size of the file, which native code compares. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly tensors: readonly NativeStoredTensor[];
}

export interface NativeStoredTensor {
  readonly name: string;
  readonly dtype: "F32" | "BF16" | "F16";
  /** Sizes of at least 1. */
  readonly shape: readonly number[];
  /** The index of its file. */
  readonly file: number;
  /** Of its first byte in the file. */
  readonly offset: number;
}

/** The dimensions of a model's network. Integers are at least 1. */
export interface NativeArchitecture {
  readonly dModel: number;
  readonly dKv: number;
  readonly dFf: number;
  readonly numLayers: number;
  readonly numDecoderLayers: number;
  readonly numHeads: number;
  readonly vocabSize: number;
  readonly relativeAttentionNumBuckets: number;
  readonly relativeAttentionMaxDistance: number;
  readonly layerNormEpsilon: number;
  readonly activation: NativeActivation;
  /** Whether the feed-forward layer has `wi_0` and `wi_1` instead of `wi`. */
  readonly isGated: boolean;
  /** UMT5: every layer has its own relative attention bias. */
  readonly hasBiasPerLayer: boolean;
  /** Whether the decoder's output is multiplied by `dModel ** -0.5` before lm_head. */
  readonly scalesDecoderOutputs: boolean;
}

/** "gelu" is exact, "gelu_new" its tanh approximation. */
export type NativeActivation = "relu" | "gelu_new" | "gelu" | "silu";

export interface NativeInfo {
  /** The SIMD instructions that PyTorch's kernels use, for instance "AVX512". */
  readonly cpuCapability: string;
  /** The instruction set of the fused engine's kernels, for instance "AVX512 with BF16". */
  readonly kernels: string;
  /** PyTorch's default number of threads per operator. */
  readonly intraOpThreads: number;
  /** The number of threads between operators. */
  readonly interOpThreads: number;
  /** The names of the devices, from the NVIDIA driver. */
  readonly cudaDevices: readonly string[];
  /** The state of torch_t5_cuda: "loaded", "available", or the reason why it is not used. */
  readonly cudaLibrary: string;
  /** The library that runs an operator's threads, for instance "OpenMP". */
  readonly parallelBackend: string;
}

/** What needs a decoder rejects with ERR_INVALID_ARGUMENT if only an encoder was loaded. */
export interface NativeModel {
  /** "cpu" or "cuda:N". */
  readonly device: string;
  forward(request: NativeForwardRequest): Promise<NativeForwardResult>;
  encode(request: NativeEncodeRequest): Promise<NativeEncoderOutput>;
  /** The encoder's last hidden state, `[batch, sourceLength, dModel]`. */
  forwardEncoder(request: NativeEncodeRequest): Promise<NativeTensor<Float32Array>>;
  /** `[batch, columns]`: those of the last dense layer, else `dModel` for each pooling. */
  embed(request: NativeEmbedRequest): Promise<NativeTensor<Float32Array>>;
  /** The logits of a classifier: `[batch, numLabels]` of texts, `[batch, sourceLength, numLabels]` of tokens. */
  classify(request: NativeClassifyRequest): Promise<NativeTensor<Float32Array>>;
  score(request: NativeScoreRequest): Promise<NativeScoreResult>;
  /** Runs a search from the source to the last token. */
  generate(request: NativeGenerateRequest): Promise<NativeGenerateResult>;
  /** Encodes the source if needed, and prepares a search that runs step by step. */
  startSearch(request: NativeGenerateRequest): Promise<NativeSearch>;
  /** `path`: the file of a TorchScript module. `trusted`: load it whatever operators it contains. */
  loadHead(request: {
    readonly scheduling: NativeScheduling;
    readonly path: string;
    readonly trusted: boolean;
  }): Promise<NativeHead>;
  loadDense(request: NativeDenseWeights & { readonly scheduling: NativeScheduling }): Promise<NativeDense>;
  /**
   * Sets the text of every id, which stop strings need. `bytes`: the texts in UTF-8, concatenated. `offsets`,
   * `[vocabSize + 1]`: where each text begins, and where the last one ends.
   */
  uploadTokenTexts(bytes: Uint8Array, offsets: Int32Array): void;
  /** Ends a waiting or running call: its promise rejects with code ERR_ABORTED. */
  cancel(id: number): void;
  /** Ends all calls: their promises reject with code ERR_ABORTED. */
  abort(): void;
  stats(): NativeStats;
  /** Resolves once the accepted calls have ended and the memory is freed. */
  dispose(): Promise<void>;
}

/** The state of a model's scheduler. Times in milliseconds, quantiles over the last 512 values. */
export interface NativeStats {
  readonly running: number;
  readonly waiting: number;
  readonly runningRows: number;
  readonly cacheBytes: number;
  readonly reusableBytes: number;
  readonly steps: number;
  readonly lastStepRows: number;
  readonly lastPassTokens: number;
  readonly tokensPerSecond: number;
  readonly stepMsP50: number;
  readonly stepMsP99: number;
  readonly queueMsP50: number;
  readonly queueMsP99: number;
}

/**
 * The part of a pass's outputs that a call returns. Positions are selected first, then tokens, then the largest logits.
 */
export interface NativeSelection {
  /** Decoder positions from 0 in any order; undefined: all. */
  readonly positions: Int32Array | undefined;
  /** Vocabulary ids in any order; undefined: all. */
  readonly tokens: Int32Array | undefined;
  /** Return `values` and `indices` of this many of the largest logits instead of `logits`. 0: off. */
  readonly topK: number;
  readonly hiddenStates: boolean;
  /** With precision "exact" only. */
  readonly outputHiddenStates: boolean;
  /** With precision "exact" only. */
  readonly outputAttentions: boolean;
}

export interface NativeForwardRequest extends NativeSelection {
  readonly scheduling: NativeScheduling;
  readonly source: PaddedBatch;
  readonly targetLength: number;
  /** `[batch, targetLength]` */
  readonly decoderInputIds: Int32Array;
  /** `[batch, targetLength]`, for the loss and for heads; the loss ignores -100. */
  readonly labels: Int32Array | undefined;
  readonly loss: boolean;
  /** Return this head's output instead of logits. */
  readonly head: NativeHead | undefined;
}

export interface NativeTensor<Data> {
  /** The numbers in row-major order. */
  readonly data: Data;
  readonly shape: readonly number[];
}

/** By default, `positions` is `targetLength` and `tokens` is `vocabSize`. */
export interface NativeForwardResult {
  /** `[batch, positions, tokens]`, without `topK` and `head`. */
  readonly logits?: NativeTensor<Float32Array>;
  /** `[batch, positions, topK]` in descending order. */
  readonly values?: NativeTensor<Float32Array>;
  /** `[batch, positions, topK]`: the vocabulary ids of `values`. */
  readonly indices?: NativeTensor<Int32Array>;
  /** `[batch, sourceLength, dModel]`, from `forward` with `hiddenStates`. */
  readonly encoderLastHiddenState?: NativeTensor<Float32Array>;
  /** `[batch, targetLength, dModel]`, with `hiddenStates`. */
  readonly decoderLastHiddenState?: NativeTensor<Float32Array>;
  /** The embeddings and each layer: `[batch, sourceLength, dModel]`, from `forward` with `outputHiddenStates`. */
  readonly encoderHiddenStates?: readonly NativeTensor<Float32Array>[];
  /** The embeddings and each layer: `[batch, targetLength, dModel]`, with `outputHiddenStates`. */
  readonly decoderHiddenStates?: readonly NativeTensor<Float32Array>[];
  /** Each layer: `[batch, heads, sourceLength, sourceLength]`, from `forward` with `outputAttentions`. */
  readonly encoderAttentions?: readonly NativeTensor<Float32Array>[];
  /** Each layer: `[batch, heads, targetLength, positions]`, with `outputAttentions`. */
  readonly decoderAttentions?: readonly NativeTensor<Float32Array>[];
  /** Each layer: `[batch, heads, targetLength, sourceLength]`, with `outputAttentions`. */
  readonly crossAttentions?: readonly NativeTensor<Float32Array>[];
  readonly loss?: number;
  /** In the shape that the head returns. */
  readonly headOutput?: NativeTensor<Float32Array>;
}

/** A user's TorchScript module on the model's device. */
export interface NativeHead {
  /** The names of the arguments of its `forward`, in order. */
  readonly inputs: readonly string[];
  /** Frees the head once the calls that use it have ended. */
  dispose(): void;
}

/** The last hidden state of an encoder with its ids and mask, on the model's device. */
export interface NativeEncoderOutput {
  /** `[batch, sourceLength, dModel]` */
  readonly shape: readonly number[];
  startDecoding(): NativeDecodingSession;
  /** Frees the output once the calls and sessions that use it have ended. */
  dispose(): void;
}

export interface NativeEncodeRequest {
  readonly scheduling: NativeScheduling;
  readonly source: PaddedBatch;
}

export interface NativeEmbedRequest {
  readonly scheduling: NativeScheduling;
  readonly source: PaddedBatch | NativeEncoderOutput;
  /** At least one; the vectors of several are concatenated. */
  readonly pooling: readonly (
    | "mean"
    | "first"
    | "cls"
    | "max"
    | "mean_sqrt_len_tokens"
    | "weightedmean"
    | "lasttoken"
  )[];
  /** The number of positions, of those that the mask keeps, that are not pooled. */
  readonly promptLength: number;
  /** What is applied to the pooled vectors, in order; "normalize" scales them to length 1. */
  readonly layers: readonly (NativeDense | "normalize")[];
}

export interface NativeClassifyRequest {
  readonly scheduling: NativeScheduling;
  readonly source: PaddedBatch;
  /** `[batch, sourceLength]`: the ids shifted right, for a classifier of texts. */
  readonly decoderInputIds: Int32Array | undefined;
  /** `[batch]`: the position whose state stands for the row, for a classifier of texts. */
  readonly positions: Int32Array | undefined;
}

/** A dense layer for embeddings. */
export interface NativeDenseWeights {
  readonly inputs: number;
  readonly outputs: number;
  /** `[outputs, inputs]` */
  readonly weight: Float32Array;
  /** `[outputs]` */
  readonly bias: Float32Array | undefined;
  readonly activation: "identity" | "tanh" | "relu" | "gelu" | "silu" | "sigmoid";
}

/** A dense layer on the model's device. */
export interface NativeDense {
  /** Frees the layer once the calls that use it have ended. */
  dispose(): void;
}

export interface NativeScoreRequest {
  readonly scheduling: NativeScheduling;
  /** One row for all targets, or one row per target. */
  readonly source: PaddedBatch | NativeEncoderOutput;
  /** The ids of all targets, concatenated. */
  readonly targetIds: Int32Array;
  /** `[targets]`: the number of ids of each target, at least 1. */
  readonly targetLengths: Int32Array;
  readonly decoderStartTokenId: number;
  readonly padTokenId: number;
  /** The number of targets that the decoder reads at once. */
  readonly batchSize: number;
  /** Return means of log-probabilities as scores instead of sums. */
  readonly mean: boolean;
}

export interface NativeScoreResult {
  /** `[targets]` */
  readonly scores: NativeTensor<Float32Array>;
  /** The log-probability of each of `targetIds`. */
  readonly logProbs: NativeTensor<Float32Array>;
}

/** A decoder with its cache. Takes one call at a time. */
export interface NativeDecodingSession {
  /** Decodes new positions. The cache grows by them when the promise resolves, and stays as it was when it rejects. */
  decode(request: NativeDecodeRequest): Promise<NativeForwardResult>;
  /** A session that continues from the same cache. */
  fork(): NativeDecodingSession;
  /** Frees the cache once a running call has ended. */
  dispose(): void;
}

export interface NativeDecodeRequest extends NativeSelection {
  readonly scheduling: NativeScheduling;
  /** `[batch]`: the row of the cache that each row continues; undefined: its own. */
  readonly rows: Int32Array | undefined;
  readonly batch: number;
  /** Any number of positions at the first call, then 1. */
  readonly targetLength: number;
  /** `[batch, targetLength]` */
  readonly decoderInputIds: Int32Array;
}

/**
 * Hugging Face's `GenerationConfig`, each default filled in. `maxLength` and `minLength` include the decoder's input.
 */
export interface NativeGenerateOptions {
  readonly maxLength: number;
  /** 0: off. */
  readonly minLength: number;
  /** 0: off. */
  readonly minNewTokens: number;
  /** May be empty. */
  readonly eosTokenIds: Int32Array;
  /** -1: a sequence that ends early is not padded but decoded on with the others. */
  readonly padTokenId: number;
  /** 1: no beam search. */
  readonly numBeams: number;
  readonly numReturnSequences: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: "true" | "false" | "never";
  readonly doSample: boolean;
  /** The 64 bits, unsigned, of the seed that `torch.manual_seed` takes. */
  readonly seed: bigint;
  /** 1: off. */
  readonly temperature: number;
  /** 0: off. */
  readonly topK: number;
  /** 1: off. */
  readonly topP: number;
  readonly minP: number | undefined;
  /** 1: off. */
  readonly typicalP: number;
  /** 0: off. */
  readonly epsilonCutoff: number;
  /** 0: off. */
  readonly etaCutoff: number;
  /** 1: off. */
  readonly repetitionPenalty: number;
  /** 1: off. */
  readonly encoderRepetitionPenalty: number;
  /** 0: off. */
  readonly noRepeatNgramSize: number;
  /** 0: off. */
  readonly encoderNoRepeatNgramSize: number;
  /** Distinct and not empty, without those that are a single end id. */
  readonly badWordsIds: readonly Int32Array[] | undefined;
  /** The `ids` are distinct and not empty. */
  readonly sequenceBias: readonly { readonly ids: Int32Array; readonly bias: number }[] | undefined;
  readonly forcedBosTokenId: number | undefined;
  readonly forcedEosTokenIds: Int32Array | undefined;
  readonly suppressTokens: Int32Array | undefined;
  readonly beginSuppressTokens: Int32Array | undefined;
  /** `start` counts generated tokens. */
  readonly exponentialDecayLengthPenalty: { readonly start: number; readonly factor: number } | undefined;
  readonly renormalizeLogits: boolean;
  readonly removeInvalidValues: boolean;
  /** May be empty. Needs `uploadTokenTexts` before. */
  readonly stopStrings: readonly string[];
  /** Seconds. */
  readonly maxTime: number | undefined;
  readonly returnLogits: boolean;
  readonly returnScores: boolean;
  /** Return the log-probability of each chosen token, and of this many of the most probable ones. Without beams. */
  readonly logProbs: number | undefined;
}

export interface NativeGenerateRequest {
  readonly scheduling: NativeScheduling;
  readonly source: PaddedBatch | NativeEncoderOutput;
  readonly targetLength: number;
  /** `[batch, targetLength]` */
  readonly decoderInputIds: Int32Array;
  readonly options: NativeGenerateOptions;
}

/**
 * Why a sequence ends: `"eos"`, it has an id of `eosTokenId`; `"stop"`, it contains a stop string; `"length"`, it has the
 * maximum length; `"time"`, `maxTime` was over. The first that applies, in this order, to the token that ends it.
 */
export type FinishReason = "eos" | "stop" | "length" | "time";

/** The log-probabilities of chosen tokens, and of the k most probable ones at the same positions. */
export interface NativeTokenLogProbs {
  /** `[...]` */
  readonly chosen: NativeTensor<Float32Array>;
  /** `[..., k]` in descending order. */
  readonly values: NativeTensor<Float32Array>;
  /** `[..., k]`: the ids of `values`. */
  readonly indices: NativeTensor<Int32Array>;
}

/** R: batch x numReturnSequences. Q, the decoded rows: batch x numBeams with beams, else R. */
export interface NativeGenerateResult {
  /** `[R, length]` */
  readonly sequences: NativeTensor<Int32Array>;
  /** `[R]` */
  readonly finishReasons: readonly FinishReason[];
  /** `[R]`: the number of generated tokens, the one that ends the sequence included. */
  readonly lengths: readonly number[];
  /** Per step `[Q, vocabSize]`, before processors; with `returnLogits`. */
  readonly logits?: readonly NativeTensor<Float32Array>[];
  /** Per step `[Q, vocabSize]`, after processors; with `returnScores`. */
  readonly scores?: readonly NativeTensor<Float32Array>[];
  /** `[R]`; with beams and `returnScores`. */
  readonly sequenceScores?: NativeTensor<Float32Array>;
  /** `[R, generatedLength]`, -1 after the end; with beams and `returnScores` or `returnLogits`. */
  readonly beamIndices?: NativeTensor<Int32Array>;
  /** `[R, generatedLength]`; with `returnScores`. */
  readonly transitionScores?: NativeTensor<Float32Array>;
  /** `...` is `[R, generatedLength]`: 0, and -1 as an index, after the end. With `logProbs`. */
  readonly logProbs?: NativeTokenLogProbs;
}

/** A search that moves one token per `advance`. Takes one call at a time. Q: as in `NativeGenerateResult`. */
export interface NativeSearch {
  /** Computes the scores that a user's processor may edit before `advance`. Optional. */
  prepare(request: { readonly scheduling: NativeScheduling }): Promise<NativePreparedStep>;
  /** Chooses the next tokens, by the prepared scores if there are any. */
  advance(request: NativeAdvanceRequest): Promise<NativeStep>;
  /**
   * The next step of a search whose scores nobody edits, at once if it has been computed. Steps are computed ahead: two
   * before they are asked for. Several calls may wait. After the first call, `prepare` and `advance` are refused.
   */
  next(request: NativeNextRequest): NativeStep | Promise<NativeStep>;
  /** Frees the search once a running call has ended. */
  dispose(): void;
}

export interface NativePreparedStep {
  /** `[Q, length]` */
  readonly sequences: NativeTensor<Int32Array>;
  /** `[Q, vocabSize]` */
  readonly scores: NativeTensor<Float32Array>;
}

export interface NativeAdvanceRequest {
  readonly scheduling: NativeScheduling;
  /** The data of the prepared scores, edited. Its buffer is detached. */
  readonly edited: Float32Array | undefined;
  /** Return what this step has of `returnLogits` and `logProbs` with the step instead of with the result. */
  readonly takeOutputs: boolean;
}

export interface NativeNextRequest {
  readonly scheduling: NativeScheduling;
  /** The same for all steps of a search. As for `advance`. */
  readonly takeOutputs: boolean;
}

export interface NativeStep {
  /** `[Q]`: the chosen ids; with beams, the last ids of the running beams. */
  readonly tokenIds: Int32Array;
  /** `[R]`: after this step; undefined for a sequence that goes on. */
  readonly finishReasons: readonly (FinishReason | undefined)[];
  /** `[Q, vocabSize]`, before processors; with `takeOutputs` and `returnLogits`. */
  readonly logits?: NativeTensor<Float32Array>;
  /** `...` is `[Q]`; with `takeOutputs` and `logProbs`. */
  readonly logProbs?: NativeTokenLogProbs;
  /** With the last step. */
  readonly result?: NativeGenerateResult;
}
