// The options of `generate` and `stream`: what they are called, and what each does.
import type { SignalOption } from "../util/call-options.js";
import type { Tensor } from "../util/tensor.js";

/** One token's step, as a `logitsProcessor` sees it. Rows: `batch x numBeams`, or `batch x numReturnSequences`. */
export interface LogitsStep {
  /** What was generated so far, behind the decoder's input, `[rows, length]`. */
  readonly sequences: Tensor<Int32Array>;
  /**
   * `[rows, vocabSize]`, to be edited in place; log-probabilities with beams, as in Hugging Face. Its data is gone when the
   * processor has returned.
   */
  readonly logits: Tensor;
  /** 0 for the first token. */
  readonly step: number;
}

/** Edits a step's logits where Hugging Face calls a user's processors: behind its own, before temperature, top-k and the like. */
export type LogitsProcessor = (step: LogitsStep) => void | Promise<void>;

/**
 * How tokens are chosen: Hugging Face's `GenerationConfig` in camelCase. Defaults are those of the model's
 * generation_config.json, then Hugging Face's, which are given here.
 */
export interface GenerationSettings {
  /** How many tokens at most. Default: 20, unless `maxLength` says it. */
  readonly maxNewTokens?: number | undefined;
  /** How long a sequence may get, the decoder's input counted. */
  readonly maxLength?: number | undefined;
  /** How many tokens come at least before one that ends the sequence. */
  readonly minNewTokens?: number | undefined;
  /** The same, the decoder's input counted. Default: 0. */
  readonly minLength?: number | undefined;
  /** The ids that end a sequence; none: `[]`. */
  readonly eosTokenId?: number | readonly number[] | undefined;
  /** What fills the rows that ended before others. Default: the first of `eosTokenId`. */
  readonly padTokenId?: number | undefined;
  /** 1, the default: no beam search. */
  readonly numBeams?: number | undefined;
  /** How many sequences of each row to return. Default: 1. */
  readonly numReturnSequences?: number | undefined;
  /** With beams: over 0 favours long sequences, under 0 short ones. Default: 1. */
  readonly lengthPenalty?: number | undefined;
  /** With beams: whether to end once there are `numBeams` finished sequences. Default: false, a heuristic. */
  readonly earlyStopping?: boolean | "never" | undefined;
  /** Sample instead of taking the best. Default: false. */
  readonly doSample?: boolean | undefined;
  /** Sampling's seed, as `torch.manual_seed` takes it: the same seed gives Hugging Face's tokens on the CPU. Default: random. */
  readonly seed?: number | bigint | undefined;
  /** Sampling: logits are divided by it. Default: 1. */
  readonly temperature?: number | undefined;
  /** Sampling: only among the best so many; 0: all. Default: 50. */
  readonly topK?: number | undefined;
  /** Sampling: only among the best that are this probable together. Default: 1. */
  readonly topP?: number | undefined;
  /** Sampling: only what is at least this portion as probable as the best. */
  readonly minP?: number | undefined;
  /** Sampling: only the most typical that are this probable together. Default: 1. */
  readonly typicalP?: number | undefined;
  /** Sampling: only what is at least this probable. Default: 0. */
  readonly epsilonCutoff?: number | undefined;
  /** Sampling: eta sampling's cutoff. Default: 0. */
  readonly etaCutoff?: number | undefined;
  /** Over 1: tokens that were generated become less likely. Default: 1. */
  readonly repetitionPenalty?: number | undefined;
  /** Over 1: tokens that the source lacks become less likely. Default: 1. */
  readonly encoderRepetitionPenalty?: number | undefined;
  /** No n tokens in a row twice; 0, the default: off. */
  readonly noRepeatNgramSize?: number | undefined;
  /** No n tokens in a row that the source has; 0, the default: off. */
  readonly encoderNoRepeatNgramSize?: number | undefined;
  /** Sequences of ids that are never generated. */
  readonly badWordsIds?: readonly (readonly number[] | Int32Array)[] | undefined;
  /** The first generated id. */
  readonly forcedBosTokenId?: number | undefined;
  /** The id, or the ids, that a sequence of the greatest length ends with. */
  readonly forcedEosTokenId?: number | readonly number[] | undefined;
  /** Ids that are never generated. */
  readonly suppressTokens?: readonly number[] | Int32Array | undefined;
  /** Ids that are never generated first. */
  readonly beginSuppressTokens?: readonly number[] | Int32Array | undefined;
  /** What is added to the logits of an id behind others: `[[ids, bias], ...]`. */
  readonly sequenceBias?: readonly (readonly [ids: readonly number[] | Int32Array, bias: number])[] | undefined;
  /** From the `start`th token on, the end gets more likely by `factor` each. */
  readonly exponentialDecayLengthPenalty?: readonly [start: number, factor: number] | undefined;
  /** Normalize logits after all processors. Default: false. */
  readonly renormalizeLogits?: boolean | undefined;
  /** Replace NaN and infinite logits. Default: false. */
  readonly removeInvalidValues?: boolean | undefined;
  /** Texts that end a sequence once it has them; needs a tokenizer. */
  readonly stopStrings?: string | readonly string[] | undefined;
  /** Seconds after which no further token is begun. */
  readonly maxTime?: number | undefined;
  /** Called at every step, one after the other. An error of its own rejects the call. */
  readonly logitsProcessor?: LogitsProcessor | undefined;
}

/** The options of `generate`. */
export interface GenerateOptions extends GenerationSettings, SignalOption {
  /** Return the raw logits of every step as well. */
  readonly returnLogits?: boolean | undefined;
  /** Return the processed logits of every step, and what follows from them, as well. */
  readonly returnScores?: boolean | undefined;
}

/**
 * The options of `stream`: those of `generate`, but for beams, several sequences and `returnScores`, which are refused. With
 * `returnLogits` each token comes with the raw logits that it was chosen by.
 */
export interface StreamOptions extends GenerateOptions {}

/** An option that is a function: said on its own, so that the compiler knows its parameter. */
export type ProcessorOption = Pick<GenerationSettings, "logitsProcessor">;
