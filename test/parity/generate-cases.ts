// The calls of `generate` in the parity tests: every option alone, with and without beams, and seeded mixes of options.
import type { GenerateOptions } from "torch-t5";
import { generator } from "./cases.js";

/** Ids that a model emits by itself. Options about other ids would have no effect. */
export interface Habits {
  /** Ids that it emits after some steps, at different steps in different rows: three or more. */
  readonly ends: readonly [number, number, number, ...number[]];
  /** Four ids that it emits often. */
  readonly usual: readonly [number, number, number, number];
  /** Sequences of two and of three ids that it emits. */
  readonly runs: readonly [readonly number[], readonly number[]];
}

/** What a logits processor does, on both sides. */
export interface Edits {
  /** Added to a token's score. */
  readonly bias: readonly (readonly [id: number, value: number])[];
  readonly forbidden: readonly number[];
  /** Times the step, this is subtracted from the score of a row's last token. The product is exact in float32. */
  readonly repeated: number;
}

/** One call. */
export interface GenerateCase {
  readonly name: string;
  /** Several rows, padded, or a single one without a mask. */
  readonly source: "batch" | "row";
  readonly options: (habits: Habits) => GenerateOptions;
  /** The ids that the decoder of every row starts with. */
  readonly prefix?: ((habits: Habits) => readonly number[]) | undefined;
  readonly edits?: ((habits: Habits) => Edits) | undefined;
}

type Options = GenerateOptions;

interface Block {
  readonly name: string;
  /** Blocks of one kind are not combined. */
  readonly kind: string;
  readonly options: (habits: Habits) => Options;
}

const START = 0;
/** An id that is neither the padding nor the start id. */
const OTHER_PADDING = 2;
const MIXES = 40;

const block = (name: string, options: Block["options"] | Options, kind = name.split(" ")[0] ?? name): Block => ({
  name,
  kind,
  options: typeof options === "function" ? options : () => options,
});

const STRATEGIES: readonly Block[] = [
  block("greedy", {}),
  block("three beams", { numBeams: 3 }),
  block("sampling", { doSample: true, seed: 7 }),
  block("sampling beams", { numBeams: 3, doSample: true, seed: 8 }),
];

/** Options of every strategy. */
const COMMON: readonly Block[] = [
  block("maxLength", { maxLength: 7 }, "length"),
  block("maxTime, which ends after the first step", { maxTime: 1e-7 }, "time"),
  block("maxTime, which is never reached", { maxTime: 600 }, "time"),
  block("minLength", ({ ends }) => ({ minLength: 8, eosTokenId: ends }), "ends"),
  block("minNewTokens", ({ ends }) => ({ minNewTokens: 6, eosTokenId: ends }), "ends"),
  block("eosTokenId of one", ({ ends }) => ({ eosTokenId: ends[0] }), "ends"),
  block("eosTokenId of several", ({ ends }) => ({ eosTokenId: ends }), "ends"),
  block("eosTokenId of none", { eosTokenId: [] }, "ends"),
  block("padTokenId", ({ ends }) => ({ eosTokenId: ends, padTokenId: OTHER_PADDING }), "ends"),
  block(
    "exponentialDecayLengthPenalty",
    ({ ends }) => ({ eosTokenId: ends, exponentialDecayLengthPenalty: [2, 1.3] }),
    "ends",
  ),
  block("repetitionPenalty", { repetitionPenalty: 1.7 }),
  block("repetitionPenalty, a reward", { repetitionPenalty: 0.8 }),
  block("encoderRepetitionPenalty", { encoderRepetitionPenalty: 1.6 }),
  block("noRepeatNgramSize 1", { noRepeatNgramSize: 1 }),
  block("noRepeatNgramSize 2", { noRepeatNgramSize: 2 }),
  block("encoderNoRepeatNgramSize 1", { encoderNoRepeatNgramSize: 1 }),
  block("encoderNoRepeatNgramSize 2", { encoderNoRepeatNgramSize: 2 }),
  block("badWordsIds", ({ usual, runs }) => ({ badWordsIds: [[usual[0]], runs[0], runs[1]] })),
  block("sequenceBias", ({ usual, runs }) => ({
    sequenceBias: [
      [[usual[0]], -3.5],
      [[usual[1]], 1.25],
      [runs[0], -20.0],
      [runs[1], 4],
    ],
  })),
  block("forcedBosTokenId", ({ usual }) => ({ forcedBosTokenId: usual[2] })),
  block("forcedEosTokenId", ({ ends }) => ({ forcedEosTokenId: ends[0] })),
  block("forcedEosTokenId of two", ({ ends }) => ({ forcedEosTokenId: [ends[0], ends[1]] })),
  block("suppressTokens", ({ usual }) => ({ suppressTokens: [START, usual[0], usual[1]] })),
  block("beginSuppressTokens", ({ usual }) => ({ beginSuppressTokens: [START, usual[0], usual[1]] })),
  block("beginSuppressTokens and forcedBosTokenId", ({ usual }) => ({
    beginSuppressTokens: [START, usual[0]],
    forcedBosTokenId: usual[3],
  })),
  block("renormalizeLogits", { renormalizeLogits: true, repetitionPenalty: 1.4 }, "repetitionPenalty"),
  block(
    "removeInvalidValues",
    ({ usual }) => ({ removeInvalidValues: true, badWordsIds: [[usual[0]]] }),
    "badWordsIds",
  ),
];

/** Options that have no effect, which Hugging Face accepts without a warning. */
const INEFFECTIVE: readonly Block[] = [
  block("minNewTokens without an end id", { minNewTokens: 6, eosTokenId: [] }),
  block("minLength without an end id", { minLength: 6, eosTokenId: [] }),
];

/** Options of sampling, with and without beams. */
const SAMPLING: readonly Block[] = [
  block("temperature", { temperature: 0.6 }),
  block("temperature above one", { temperature: 1.9 }),
  block("topK", { topK: 5 }),
  block("topK 0, which is off", { topK: 0 }),
  block("topP", { topP: 0.7 }),
  block("minP", { minP: 0.15 }),
  block("typicalP", { typicalP: 0.6, topK: 0 }, "topK"),
  block("epsilonCutoff", { epsilonCutoff: 0.01 }),
  block("etaCutoff", { etaCutoff: 0.02 }),
  block("seed of 64 bits", { seed: 0xfedc_ba98_7654_3210n }),
  block("seed 0", { seed: 0 }),
];

/** The number of returned sequences. */
const RETURNING: Readonly<Record<string, Options>> = {
  "three beams": { numReturnSequences: 3 },
  sampling: { numReturnSequences: 2 },
  "sampling beams": { numReturnSequences: 2 },
};

/** Options of beam search: when it ends, and how it scores longer sequences. */
const ENDINGS: readonly Block[] = ([true, false, "never"] as const).flatMap((earlyStopping) =>
  [-0.7, 0, 1, 2.5].map((lengthPenalty) =>
    block(
      `earlyStopping ${earlyStopping}, lengthPenalty ${lengthPenalty}`,
      ({ ends }) => ({ earlyStopping, lengthPenalty, eosTokenId: ends }),
      "ends",
    ),
  ),
);

const BEAMS: readonly Block[] = [
  block("two beams", ({ ends }) => ({ numBeams: 2, eosTokenId: ends[1] }), "ends"),
  block("four beams", ({ ends }) => ({ numBeams: 4, numReturnSequences: 2, eosTokenId: [ends[0], ends[2]] }), "ends"),
  block("five beams", ({ ends }) => ({ numBeams: 5, numReturnSequences: 5, eosTokenId: ends }), "ends"),
];

const PREFIXES: ReadonlyMap<string, NonNullable<GenerateCase["prefix"]>> = new Map([
  ["a prefix that starts with the start id", ({ usual, runs }) => [START, ...runs[0], usual[1]]],
  ["a prefix without the start id", ({ runs }) => [...runs[1], ...runs[0]]],
]);

/** The user's own processor, in addition to those of the options. */
const EDITS: NonNullable<GenerateCase["edits"]> = ({ usual, ends }) => ({
  bias: [
    [usual[1], 1.5],
    [ends[0], -2.25],
  ],
  forbidden: [START, usual[0]],
  repeated: 0.75,
});

const strategy = (name: string): Block => {
  const found = STRATEGIES.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`No strategy is named ${name}`);
  return found;
};

/** Combines blocks into one call. Options of a later block replace those of an earlier one. */
function join(blocks: readonly Block[], index: number, more: Partial<GenerateCase> = {}): GenerateCase {
  const name = blocks.map((part) => part.name).join(", ");
  const options = (habits: Habits): Options => {
    const all: Options = Object.assign({ maxNewTokens: 12 }, ...blocks.map((part) => part.options(habits)));
    if (all.maxLength === undefined) return all;
    const { maxNewTokens: _, ...rest } = all;
    return rest;
  };
  return { name, source: index % 4 === 3 ? "row" : "batch", options, ...more };
}

/** Every common option with and without beams, and every other option with its own strategy. */
function alone(): readonly GenerateCase[] {
  const common = COMMON.flatMap((part, index) => {
    const pair = index % 2 === 0 ? ["greedy", "sampling beams"] : ["sampling", "three beams"];
    return pair.map((name) => join([strategy(name), part], index));
  });
  const ineffective = INEFFECTIVE.flatMap((part) =>
    ["greedy", "three beams"].map((name) => join([strategy(name), part], 0)),
  );
  const sampling = SAMPLING.map((part, index) =>
    join([strategy(index % 3 === 2 ? "sampling beams" : "sampling"), part], index),
  );
  const returning = Object.entries(RETURNING).map(([name, options], index) =>
    join([strategy(name), block("numReturnSequences", options)], index),
  );
  const beams = [...ENDINGS, ...BEAMS].map((part, index) =>
    join([strategy(index % 5 === 4 ? "sampling beams" : "three beams"), part], index),
  );
  return [...STRATEGIES.map((part) => join([part], 0)), ...common, ...ineffective, ...sampling, ...returning, ...beams];
}

/** Prefixes and processors, with every strategy. */
function around(): readonly GenerateCase[] {
  return STRATEGIES.flatMap((part, index) => [
    ...[...PREFIXES].map(([name, prefix], at) => {
      const { name: strategyName, ...joined } = join([part], index + at);
      return { ...joined, prefix, name: `${strategyName}, ${name}` };
    }),
    { ...join([part, block("a logits processor", {})], index), edits: EDITS },
  ]);
}

/** Three to six options at once. */
function mixed(seed: number): readonly GenerateCase[] {
  const random = generator(seed);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new Error("Nothing to pick from");
    return item;
  };
  return Array.from({ length: MIXES }, (_, index) => {
    const chosen = pick(STRATEGIES);
    const pool = [
      // The sides take different times, and maxLength excludes the options of a minimum length.
      ...COMMON.filter(({ kind }) => kind !== "time" && kind !== "length"),
      ...(chosen.name.includes("sampling") ? [...SAMPLING, ...SAMPLING] : []),
      ...(chosen.name.includes("beams") ? [...ENDINGS, ...ENDINGS] : []),
    ];
    const kinds = new Map<string, Block>();
    const count = 3 + Math.floor(random() * 4);
    while (kinds.size < count) {
      const part = pick(pool);
      if (!kinds.has(part.kind)) kinds.set(part.kind, part);
    }
    const prefix = random() < 0.25 ? pick([...PREFIXES.values()]) : undefined;
    const edits = random() < 0.25 ? EDITS : undefined;
    const call = join([chosen, ...kinds.values()], index, { prefix, edits });
    const notes = [prefix === undefined ? "" : ", a prefix", edits === undefined ? "" : ", a logits processor"];
    return { ...call, name: `mix ${index + 1}: ${call.name}${notes.join("")}` };
  });
}

/** All calls. The seed determines the mixes. */
export function generateCases(seed: number): readonly GenerateCase[] {
  return [...alone(), ...around(), ...mixed(seed)];
}
