// The options of `generate` and `stream`, as callers write them.
import type { CallOptions } from "../util/call-options.js";
import type { Tensor } from "../util/tensor.js";

/** What a `logitsProcessor` receives. Rows: `batch x numBeams`, or `batch x numReturnSequences` without beams. */
export interface LogitsStep {
  /** The ids so far, the decoder's input included, `[rows, length]`. */
  readonly sequences: Tensor<Int32Array>;
  /**
   * `[rows, vocabSize]`, to be edited in place; log-probabilities with beams, as in Hugging Face. Disposed when the
   * processor has returned.
   */
  readonly logits: Tensor;
  /** 0 for the first generated token. */
  readonly step: number;
}

/**
 * Edits the logits of a step where Hugging Face calls a user's processors: after its own, before temperature, top-k and
 * so on.
 */
export type LogitsProcessor = (step: LogitsStep) => void | Promise<void>;

/**
 * How tokens are chosen: Hugging Face's `GenerationConfig` in camelCase. An option that isn't given has its value in
 * the model's generation_config.json, else Hugging Face's default, which is stated here.
 */
export interface GenerationSettings {
  /** Maximum number of generated tokens. Default: 20, unless `maxLength` is given. */
  readonly maxNewTokens?: number | undefined;
  /** Maximum length of a sequence in tokens, the decoder's input included. */
  readonly maxLength?: number | undefined;
  /** Minimum number of generated tokens before one that ends the sequence. */
  readonly minNewTokens?: number | undefined;
  /** Minimum length of a sequence in tokens, the decoder's input included. Default: 0. */
  readonly minLength?: number | undefined;
  /** The ids that end a sequence; `[]`: none. */
  readonly eosTokenId?: number | readonly number[] | undefined;
  /** The id that fills rows after their end. Default: the first of `eosTokenId`. */
  readonly padTokenId?: number | undefined;
  /** Number of beams. Default: 1, no beam search. */
  readonly numBeams?: number | undefined;
  /** Number of sequences to return for each row of the source. Default: 1. */
  readonly numReturnSequences?: number | undefined;
  /** With beams: a value over 0 favours long sequences, under 0 short ones. Default: 1. */
  readonly lengthPenalty?: number | undefined;
  /**
   * With beams, when to stop. true: once there are `numBeams` finished sequences; "never": once no better one is
   * possible; false, the default: once a better one is unlikely, by Hugging Face's heuristic.
   */
  readonly earlyStopping?: boolean | "never" | undefined;
  /** Sample instead of taking the most probable token. Default: false. */
  readonly doSample?: boolean | undefined;
  /**
   * Sampling: the seed, as `torch.manual_seed` takes it. On the CPU a seed gives Hugging Face's tokens. Default:
   * random.
   */
  readonly seed?: number | bigint | undefined;
  /** Sampling: the divisor of the logits. Default: 1. */
  readonly temperature?: number | undefined;
  /** Sampling: keep the `topK` most probable tokens; 0: all. Default: 50. */
  readonly topK?: number | undefined;
  /** Sampling: keep the most probable tokens of this total probability (Holtzman et al., 2020). Default: 1. */
  readonly topP?: number | undefined;
  /** Sampling: keep the tokens of at least this portion of the maximum probability. Default: off. */
  readonly minP?: number | undefined;
  /** Sampling: keep the most typical tokens of this total probability (Meister et al., 2022). Default: 1. */
  readonly typicalP?: number | undefined;
  /** Sampling: keep the tokens of at least this probability (epsilon sampling, Hewitt et al., 2022). Default: 0. */
  readonly epsilonCutoff?: number | undefined;
  /** Sampling: the cutoff of eta sampling (Hewitt et al., 2022). Default: 0. */
  readonly etaCutoff?: number | undefined;
  /** A value over 1 makes tokens that were already generated less probable. Default: 1. */
  readonly repetitionPenalty?: number | undefined;
  /** A value over 1 makes tokens that the source doesn't contain less probable. Default: 1. */
  readonly encoderRepetitionPenalty?: number | undefined;
  /** Never repeat this many tokens in a row. Default: 0, off. */
  readonly noRepeatNgramSize?: number | undefined;
  /** Never generate this many tokens in a row that the source contains. Default: 0, off. */
  readonly encoderNoRepeatNgramSize?: number | undefined;
  /** Sequences of ids that are never generated. */
  readonly badWordsIds?: readonly (readonly number[] | Int32Array)[] | undefined;
  /** The first generated id. */
  readonly forcedBosTokenId?: number | undefined;
  /** The id, or the ids, that a sequence of maximum length ends with. */
  readonly forcedEosTokenId?: number | readonly number[] | undefined;
  /** Ids that are never generated. */
  readonly suppressTokens?: readonly number[] | Int32Array | undefined;
  /** Ids that are never generated first. */
  readonly beginSuppressTokens?: readonly number[] | Int32Array | undefined;
  /** `[[ids, bias], ...]`: `bias` is added to the logit of the last of `ids` after the other ones. */
  readonly sequenceBias?: readonly (readonly [ids: readonly number[] | Int32Array, bias: number])[] | undefined;
  /** From generated token `start` on, the end becomes more probable, exponentially by `factor`. */
  readonly exponentialDecayLengthPenalty?: readonly [start: number, factor: number] | undefined;
  /** Normalize the logits after all processors. Default: false. */
  readonly renormalizeLogits?: boolean | undefined;
  /** Replace NaN and infinite logits. Default: false. */
  readonly removeInvalidValues?: boolean | undefined;
  /** Texts that end a sequence which contains one of them. Needs a tokenizer. */
  readonly stopStrings?: string | readonly string[] | undefined;
  /** Seconds after which no further token is started. */
  readonly maxTime?: number | undefined;
  /** Called once per step, and awaited. The call rejects with what it throws. */
  readonly logitsProcessor?: LogitsProcessor | undefined;
}

/** The options of `generate`. */
export interface GenerateOptions extends GenerationSettings, CallOptions {
  /** Also return the raw logits of every step. Default: false. */
  readonly returnLogits?: boolean | undefined;
  /** Also return the processed logits of every step, and the scores of tokens and sequences. Default: false. */
  readonly returnScores?: boolean | undefined;
  /**
   * Also return the log-probability of every generated token, and those of this many of the most probable tokens at its
   * position; 0: of the token alone. Of the raw logits, before any processor. Without beams. Default: off.
   */
  readonly logProbs?: number | undefined;
}

/**
 * The options of `stream`: those of `generate`, of which beams and `returnScores` are refused. With `returnLogits` each
 * token has the raw logits that it was chosen by, with `logProbs` its log-probability.
 */
export interface StreamOptions extends GenerateOptions {}

/** The option that is a function, as a type of its own: the compiler infers its parameter from here. */
export type ProcessorOption = Pick<GenerationSettings, "logitsProcessor">;
