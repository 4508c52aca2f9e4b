// The one table of generation options. Checks, defaults, the refusal of options without effect, the flags of the
// command line with their help, and docs/generation-options.md are derived from it.
import type { CallOptions } from "../util/call-options.js";
import * as checks from "./option-checks.js";
import type { GenerateOptions } from "./options.js";

/** Something that an option depends on: another option (`numBeams`: over 1, `noBeams`: 1), or a model with a tokenizer. */
export type Requirement = "doSample" | "numBeams" | "noBeams" | "eosTokenId" | "tokenizer";

/** How the command line reads an option, and how its help writes the value. A switch has no value. */
type OptionFlag =
  | { readonly reader: "switch" }
  | {
      readonly reader: "integer" | "wideInteger" | "number" | "ids" | "json" | "earlyStopping" | "strings";
      readonly value: string;
    };

/** One generation option. */
export interface GenerationOption {
  readonly group: keyof typeof OPTION_GROUPS;
  readonly check: checks.Check<unknown>;
  /** Hugging Face's default, used where neither the caller nor generation_config.json gives a value. */
  readonly default: unknown;
  /** The default in words, where it isn't a constant. */
  readonly computedDefault?: string;
  /**
   * The option has no effect without it. Hugging Face warns; here the caller's option is refused, unless its value is
   * the default.
   */
  readonly needs?: Requirement;
  /** Hugging Face fails without it, wherever the option comes from; so does this package. */
  readonly requires?: Requirement;
  /** Only a call can set it, not generation_config.json. */
  readonly isCallOnly?: true;
  /** Undefined: the command line has no such flag. */
  readonly flag: OptionFlag | undefined;
  /** What it does, in the help of the command line and in the docs. */
  readonly help: string;
}

/** The groups with their titles, in the order of the docs. A title may state what all options of the group need. */
export const OPTION_GROUPS = {
  length: "Lengths and ends",
  beams: "Beams",
  sampling: "Sampling, with doSample",
  logits: "Logits processors",
  results: "Results",
} as const;

const SWITCH = { reader: "switch" } as const;
const COUNT = { reader: "integer", value: "<n>" } as const;
const NUMBER = { reader: "number", value: "<x>" } as const;
const ID = { reader: "integer", value: "<id>" } as const;
const IDS = { reader: "ids", value: "<id,...>" } as const;

/** Every option but `signal`, by its name. */
export const GENERATION_OPTIONS = {
  maxNewTokens: {
    group: "length",
    check: checks.integerFrom(1),
    default: undefined,
    computedDefault: "20, unless maxLength is given",
    flag: COUNT,
    help: "maximum number of generated tokens",
  },
  minNewTokens: {
    group: "length",
    check: checks.integerFrom(0),
    default: undefined,
    flag: COUNT,
    help: "minimum number of generated tokens before the end",
  },
  maxLength: {
    group: "length",
    check: checks.integerFrom(1),
    default: undefined,
    flag: COUNT,
    help: "maximum length, decoder input included",
  },
  minLength: {
    group: "length",
    check: checks.integerFrom(0),
    default: 0,
    flag: COUNT,
    help: "minimum length, decoder input included",
  },
  eosTokenId: {
    group: "length",
    check: checks.idsOrNone,
    default: undefined,
    flag: { reader: "ids", value: "<id,...>|none" },
    help: "ids that end a sequence, possibly none",
  },
  padTokenId: {
    group: "length",
    check: checks.id,
    default: undefined,
    computedDefault: "the first of eosTokenId",
    flag: ID,
    help: "id that fills rows after their end",
  },
  stopStrings: {
    group: "length",
    check: checks.stopStrings,
    default: undefined,
    requires: "tokenizer",
    flag: { reader: "strings", value: "<text>" },
    help: "texts that end a sequence",
  },
  maxTime: {
    group: "length",
    check: checks.seconds,
    default: undefined,
    flag: { reader: "number", value: "<seconds>" },
    help: "seconds after which no further token is started",
  },
  numBeams: {
    group: "beams",
    check: checks.integerFrom(1),
    default: 1,
    flag: COUNT,
    help: "number of beams; 1: no beam search",
  },
  numReturnSequences: {
    group: "beams",
    check: checks.integerFrom(1),
    default: 1,
    flag: COUNT,
    help: "number of sequences returned for each row of the source",
  },
  lengthPenalty: {
    group: "beams",
    check: checks.anyNumber,
    default: 1,
    needs: "numBeams",
    flag: NUMBER,
    help: "over 0 favours long sequences, under 0 short ones",
  },
  earlyStopping: {
    group: "beams",
    check: checks.earlyStopping,
    default: false,
    needs: "numBeams",
    flag: { reader: "earlyStopping", value: "true|false|never" },
    help: "true: stop at numBeams finished sequences",
  },
  doSample: {
    group: "sampling",
    check: checks.flag,
    default: false,
    flag: SWITCH,
    help: "sample instead of taking the most probable token",
  },
  seed: {
    group: "sampling",
    check: checks.seed,
    default: undefined,
    computedDefault: "random",
    isCallOnly: true,
    flag: { reader: "wideInteger", value: "<integer>" },
    help: "seed as torch.manual_seed takes it",
  },
  temperature: {
    group: "sampling",
    check: checks.positiveNumber,
    default: 1,
    needs: "doSample",
    flag: NUMBER,
    help: "divisor of the logits",
  },
  topK: {
    group: "sampling",
    check: checks.integerFrom(0),
    default: 50,
    needs: "doSample",
    flag: COUNT,
    help: "keep the k most probable tokens; 0: all",
  },
  topP: {
    group: "sampling",
    check: checks.probability,
    default: 1,
    needs: "doSample",
    flag: NUMBER,
    help: "keep the most probable tokens of this total probability",
  },
  minP: {
    group: "sampling",
    check: checks.probability,
    default: undefined,
    needs: "doSample",
    flag: NUMBER,
    help: "keep tokens of at least this portion of the maximum",
  },
  typicalP: {
    group: "sampling",
    check: checks.positiveProbability,
    default: 1,
    needs: "doSample",
    flag: NUMBER,
    help: "keep the most typical tokens of this total probability",
  },
  epsilonCutoff: {
    group: "sampling",
    check: checks.cutoff,
    default: 0,
    needs: "doSample",
    flag: NUMBER,
    help: "keep tokens of at least this probability",
  },
  etaCutoff: {
    group: "sampling",
    check: checks.cutoff,
    default: 0,
    needs: "doSample",
    flag: NUMBER,
    help: "cutoff of eta sampling",
  },
  repetitionPenalty: {
    group: "logits",
    check: checks.positiveNumber,
    default: 1,
    flag: NUMBER,
    help: "over 1: tokens already generated become less probable",
  },
  encoderRepetitionPenalty: {
    group: "logits",
    check: checks.positiveNumber,
    default: 1,
    flag: NUMBER,
    help: "over 1: tokens not in the source become less probable",
  },
  noRepeatNgramSize: {
    group: "logits",
    check: checks.integerFrom(0),
    default: 0,
    flag: COUNT,
    help: "never repeat n tokens in a row; 0: off",
  },
  encoderNoRepeatNgramSize: {
    group: "logits",
    check: checks.integerFrom(0),
    default: 0,
    flag: COUNT,
    help: "never generate n tokens in a row of the source; 0: off",
  },
  badWordsIds: {
    group: "logits",
    check: checks.idSequences,
    default: undefined,
    flag: { reader: "json", value: "'[[5,6]]'" },
    help: "sequences of ids that are never generated",
  },
  sequenceBias: {
    group: "logits",
    check: checks.sequenceBiases,
    default: undefined,
    flag: { reader: "json", value: "'[[[5,6],-2.5]]'" },
    help: "bias of the logit of the last id after the other ids",
  },
  suppressTokens: {
    group: "logits",
    check: checks.idArray,
    default: undefined,
    flag: IDS,
    help: "ids that are never generated",
  },
  beginSuppressTokens: {
    group: "logits",
    check: checks.idArray,
    default: undefined,
    flag: IDS,
    help: "ids that are never generated first",
  },
  forcedBosTokenId: {
    group: "logits",
    check: checks.id,
    default: undefined,
    flag: ID,
    help: "the first generated id",
  },
  forcedEosTokenId: {
    group: "logits",
    check: checks.ids,
    default: undefined,
    flag: IDS,
    help: "id, or ids, that a sequence of maximum length ends with",
  },
  exponentialDecayLengthPenalty: {
    group: "logits",
    check: checks.lengthDecay,
    default: undefined,
    requires: "eosTokenId",
    flag: { reader: "json", value: "'[start,factor]'" },
    help: "from token start on, the end becomes more probable",
  },
  renormalizeLogits: {
    group: "logits",
    check: checks.flag,
    default: false,
    flag: SWITCH,
    help: "normalize the logits after all processors",
  },
  removeInvalidValues: {
    group: "logits",
    check: checks.flag,
    default: false,
    flag: SWITCH,
    help: "replace NaN and infinite logits",
  },
  logitsProcessor: {
    group: "logits",
    check: checks.processor,
    default: undefined,
    isCallOnly: true,
    flag: undefined,
    help: "function that edits the logits of each step",
  },
  returnLogits: {
    group: "results",
    check: checks.flag,
    default: false,
    isCallOnly: true,
    flag: undefined,
    help: "also return the raw logits of each step",
  },
  returnScores: {
    group: "results",
    check: checks.flag,
    default: false,
    isCallOnly: true,
    flag: SWITCH,
    help: "also return processed logits, token scores and, with beams, sequence scores",
  },
  logProbs: {
    group: "results",
    check: checks.tokenCount,
    default: undefined,
    requires: "noBeams",
    isCallOnly: true,
    flag: undefined,
    help: "also return log-probabilities of each token and of the n most probable",
  },
} as const satisfies Readonly<Record<Exclude<keyof GenerateOptions, keyof CallOptions>, GenerationOption>>;

type OptionName = keyof typeof GENERATION_OPTIONS;

type Checked<Name extends OptionName> = ReturnType<(typeof GENERATION_OPTIONS)[Name]["check"]>;

/** Checked values of the options that one side gives: the caller, or generation_config.json. */
export type OptionValues = { readonly [Name in OptionName]?: Checked<Name> };

/** A checked value of every option, or undefined where it has none. */
export type ResolvedValues = {
  readonly [Name in OptionName]: Checked<Name> | (typeof GENERATION_OPTIONS)[Name]["default"];
};

export const OPTION_NAMES = Object.keys(GENERATION_OPTIONS) as readonly OptionName[];

/** The default of every option. */
export const DEFAULTS = Object.fromEntries(
  OPTION_NAMES.map((name) => [name, GENERATION_OPTIONS[name].default]),
) as ResolvedValues;

/** The entry of an option. */
export function optionOf(name: OptionName): GenerationOption {
  return GENERATION_OPTIONS[name];
}

/** The names of the options that have a value. */
export function namesIn(values: OptionValues): readonly OptionName[] {
  return Object.keys(values) as readonly OptionName[];
}

/**
 * Checks the options of one side, of which undefined ones aren't given. `nameOf` names each in messages. Throws
 * ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE.
 */
export function checkOptionValues(
  given: Readonly<Partial<Record<OptionName, unknown>>>,
  nameOf: (name: OptionName) => string,
  vocabSize: number,
): OptionValues {
  const checked: Partial<Record<OptionName, unknown>> = {};
  for (const name of OPTION_NAMES) {
    const value = given[name];
    if (value !== undefined) checked[name] = GENERATION_OPTIONS[name].check(value, nameOf(name), vocabSize);
  }
  return checked as OptionValues;
}
