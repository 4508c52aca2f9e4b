// What crosses to the addon and back, written by hand on both sides (native/bindings). Everything given is copied before a
// call returns; every tensor returned lies over native memory.
import type { PaddedBatch } from "../tokenizer/padded-batch.js";

/** The addon itself. Its errors carry a `code`. */
export interface NativeAddon {
  load(options: NativeLoadOptions): Promise<NativeModel>;
  /** Frees the tensor behind a buffer and detaches it; other buffers are ignored. */
  release(buffer: ArrayBufferLike): void;
  info(): NativeInfo;
  /** Aborts every call and ends every thread of this environment, for good. */
  shutDown(): void;
}

export interface NativeLoadOptions {
  readonly path: string;
  readonly device: string;
  /** Where libtorch_cuda lies. */
  readonly libtorchDirectory: string;
  /** 0: PyTorch's default. */
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  /** 0: no limit. */
  readonly maxQueueLength: number;
  readonly precision: "exact" | "float32" | "bfloat16" | "int8";
  /** For every precision but "exact", whose archive has it. */
  readonly architecture: NativeArchitecture | undefined;
}

/** The shape of a model's network. Integers are positive. */
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
  /** Two products go into the activation's layer instead of one. */
  readonly isGated: boolean;
  /** UMT5: every layer has a relative attention bias of its own. */
  readonly hasBiasPerLayer: boolean;
  /** By `dModel ** -0.5`, before lm_head. */
  readonly scalesDecoderOutputs: boolean;
}

/** "gelu" is the exact one, "gelu_new" its tanh approximation. */
export type NativeActivation = "relu" | "gelu_new" | "gelu" | "silu";

export interface NativeInfo {
  readonly libtorchVersion: string;
  /** The SIMD instructions that PyTorch's kernels use, for instance "AVX512". */
  readonly cpuCapability: string;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  readonly cudaDevices: readonly string[];
  readonly parallelBackend: string;
}

export interface NativeModel {
  readonly device: string;
  forward(request: NativeForwardRequest): Promise<NativeForwardResult>;
  encode(request: NativeEncodeRequest): Promise<NativeEncoderOutput>;
  /** `[batch, dModel]` */
  embed(request: NativeEmbedRequest): Promise<NativeTensor<Float32Array>>;
  score(request: NativeScoreRequest): Promise<NativeScoreResult>;
  /** From the source to the last token in one go. */
  generate(request: NativeGenerateRequest): Promise<NativeGenerateResult>;
  /** The same, one token at a time: encodes, and prepares the search. */
  startSearch(request: NativeGenerateRequest): Promise<NativeSearch>;
  loadHead(request: { readonly id: number; readonly path: string }): Promise<NativeHead>;
  /** The text of every id, for stop strings: UTF-8 bytes one after the other, and where each id's begin, one more than ids. */
  uploadTokenTexts(bytes: Uint8Array, offsets: Int32Array): void;
  /** Ends a call, waiting or running: its promise rejects with code ERR_ABORTED. */
  cancel(id: number): void;
  dispose(): Promise<void>;
}

export interface NativeForwardRequest {
  readonly id: number;
  readonly source: PaddedBatch;
  readonly targetLength: number;
  readonly decoderInputIds: Int32Array;
  /** For the loss, and for a head. */
  readonly labels: Int32Array | undefined;
  readonly loss: boolean;
  readonly positions: Int32Array | undefined;
  readonly tokens: Int32Array | undefined;
  /** 0: all. */
  readonly topK: number;
  readonly hiddenStates: boolean;
  /** Given: its output is returned instead of logits. */
  readonly head: NativeHead | undefined;
}

export interface NativeTensor<Data> {
  readonly data: Data;
  readonly shape: readonly number[];
}

export interface NativeForwardResult {
  readonly logits?: NativeTensor<Float32Array>;
  readonly values?: NativeTensor<Float32Array>;
  readonly indices?: NativeTensor<Int32Array>;
  readonly encoderLastHiddenState?: NativeTensor<Float32Array>;
  readonly decoderLastHiddenState?: NativeTensor<Float32Array>;
  readonly loss?: number;
  readonly headOutput?: NativeTensor<Float32Array>;
}

/** A user's TorchScript module on the model's device. */
export interface NativeHead {
  /** The names of what its `forward` takes. */
  readonly inputs: readonly string[];
  dispose(): void;
}

/** What an encoder gave, on the device. */
export interface NativeEncoderOutput {
  /** `[batch, sourceLength, dModel]` */
  readonly shape: readonly number[];
  startDecoding(): NativeDecodingSession;
  /** Frees it once the calls that use it have ended. */
  dispose(): void;
}

export interface NativeEncodeRequest {
  readonly id: number;
  readonly source: PaddedBatch;
}

export interface NativeEmbedRequest {
  readonly id: number;
  readonly source: PaddedBatch | NativeEncoderOutput;
  readonly pooling: "mean" | "first";
  readonly normalize: boolean;
}

export interface NativeScoreRequest {
  readonly id: number;
  /** Of one row, or of as many as there are targets. */
  readonly source: PaddedBatch | NativeEncoderOutput;
  /** The ids of all targets one after the other, and how many each has (at least 1). */
  readonly targetIds: Int32Array;
  readonly targetLengths: Int32Array;
  readonly decoderStartTokenId: number;
  readonly padTokenId: number;
  /** How many targets go through the decoder at once. */
  readonly batchSize: number;
  readonly mean: boolean;
}

export interface NativeScoreResult {
  /** `[targets]`: sums, or means. */
  readonly scores: NativeTensor<Float32Array>;
  /** `[ids of all targets]` */
  readonly logProbs: NativeTensor<Float32Array>;
}

/** A decoder's cache. One call at a time. */
export interface NativeDecodingSession {
  /** Resolves to the logits of the new positions; the cache has grown by them then, and is as it was where it rejects. */
  decode(request: NativeDecodeRequest): Promise<NativeForwardResult>;
  fork(): NativeDecodingSession;
  dispose(): void;
}

export interface NativeDecodeRequest {
  readonly id: number;
  /** Rows of the cache, and of the encoder's output, to go on from, one for each new row; undefined: as they are. */
  readonly rows: Int32Array | undefined;
  readonly batch: number;
  /** At the first call any number of positions, then one. */
  readonly targetLength: number;
  readonly decoderInputIds: Int32Array;
  readonly positions: Int32Array | undefined;
  readonly tokens: Int32Array | undefined;
  /** 0: all. */
  readonly topK: number;
  readonly hiddenStates: boolean;
}

/** How tokens are chosen; every default filled in, lengths counted from the first id of the decoder's input. */
export interface NativeGenerateOptions {
  readonly maxLength: number;
  readonly minLength: number;
  readonly minNewTokens: number;
  /** Possibly none. */
  readonly eosTokenIds: Int32Array;
  /** What fills a sequence that ended before others; -1: nothing, it goes on with them. */
  readonly padTokenId: number;
  readonly numBeams: number;
  readonly numReturnSequences: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: "true" | "false" | "never";
  readonly doSample: boolean;
  /** `torch.manual_seed`'s, as 64 bits without a sign. */
  readonly seed: bigint;
  readonly temperature: number;
  /** 0: off. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number | undefined;
  readonly typicalP: number;
  /** 0: off. */
  readonly epsilonCutoff: number;
  readonly etaCutoff: number;
  /** 1: off. */
  readonly repetitionPenalty: number;
  readonly encoderRepetitionPenalty: number;
  /** 0: off. */
  readonly noRepeatNgramSize: number;
  readonly encoderNoRepeatNgramSize: number;
  /** Without those that are an end id alone; no two alike; undefined: off. */
  readonly badWordsIds: readonly Int32Array[] | undefined;
  /** No two sequences alike; undefined: off. */
  readonly sequenceBias: readonly { readonly ids: Int32Array; readonly bias: number }[] | undefined;
  readonly forcedBosTokenId: number | undefined;
  readonly forcedEosTokenIds: Int32Array | undefined;
  readonly suppressTokens: Int32Array | undefined;
  readonly beginSuppressTokens: Int32Array | undefined;
  /** Counted from the end of the decoder's input. */
  readonly exponentialDecayLengthPenalty: { readonly start: number; readonly factor: number } | undefined;
  readonly renormalizeLogits: boolean;
  readonly removeInvalidValues: boolean;
  /** Needs `uploadTokenTexts` before. */
  readonly stopStrings: readonly string[];
  /** Seconds. */
  readonly maxTime: number | undefined;
  readonly returnLogits: boolean;
  readonly returnScores: boolean;
}

export interface NativeGenerateRequest {
  readonly id: number;
  readonly source: PaddedBatch | NativeEncoderOutput;
  /** `[batch, targetLength]` */
  readonly targetLength: number;
  readonly decoderInputIds: Int32Array;
  readonly options: NativeGenerateOptions;
}

/** R: batch x numReturnSequences. Q: batch x numBeams, or R when sampling without beams. */
export interface NativeGenerateResult {
  /** `[R, length]` */
  readonly sequences: NativeTensor<Int32Array>;
  /** Per step `[Q, vocabSize]`. */
  readonly logits?: readonly NativeTensor<Float32Array>[];
  readonly scores?: readonly NativeTensor<Float32Array>[];
  /** `[R]`, with beams and `returnScores`. */
  readonly sequenceScores?: NativeTensor<Float32Array>;
  /** `[R, generatedLength]`, -1 behind the end; with beams and `returnScores` or `returnLogits`. */
  readonly beamIndices?: NativeTensor<Int32Array>;
  /** `[R, generatedLength]`, with `returnScores`. */
  readonly transitionScores?: NativeTensor<Float32Array>;
}

/** A generation that goes on when it is told to. One call at a time. */
export interface NativeSearch {
  /** Computes the next position's scores, up to where a user's processor comes; they may be edited until `advance`. */
  prepare(request: { readonly id: number }): Promise<NativePreparedStep>;
  /** Chooses the next tokens; computes the scores first where `prepare` didn't. */
  advance(request: NativeAdvanceRequest): Promise<NativeStep>;
  /** Frees it once a call that runs has ended. */
  dispose(): void;
}

export interface NativePreparedStep {
  /** `[Q, length]` */
  readonly sequences: NativeTensor<Int32Array>;
  /** `[Q, vocabSize]` */
  readonly scores: NativeTensor<Float32Array>;
}

export interface NativeAdvanceRequest {
  readonly id: number;
  /** What `prepare` gave, edited; its buffer is detached. */
  readonly edited: Float32Array | undefined;
  /** With `returnLogits`: this step's logits come with the step, and are left out of the result. */
  readonly takeLogits: boolean;
}

export interface NativeStep {
  /** `[Q]`: the ids that were chosen; with beams those of the running beams. */
  readonly tokenIds: NativeTensor<Int32Array>;
  /** `[Q, vocabSize]`, raw. */
  readonly logits?: NativeTensor<Float32Array>;
  /** Once it has ended. */
  readonly result?: NativeGenerateResult;
}
