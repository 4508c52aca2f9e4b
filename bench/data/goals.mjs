// The goals, as data. Those for a GPU: `case` is one of the suite `gpu`. The kinds of limits: `milliseconds`, which a call may take, divided by
// its `tokens`; `timesFaster` than Hugging Face eager in the same precision; `timesReading`, a multiple of the time in which the device
// copies as many bytes as a decoding step reads weights; `timesMultiplying`, a multiple of the time in which the device multiplies
// large matrices with as many operations; `slowdown`, a multiple of the time in another precision, in the worst case.

const TOKENS = 64;
const both = (goal) => ["bfloat16", "float32"].map((precision) => ({ precision, ...goal }));

export const GOALS = [
  { precision: "bfloat16", case: "greedy, batch 1", tokens: TOKENS, milliseconds: 0.45 },
  { precision: "bfloat16", case: "greedy, batch 32", tokens: TOKENS, milliseconds: 0.6 },
  { precision: "bfloat16", case: "step, batch 1", milliseconds: 0.45 },
  { precision: "bfloat16", case: "step, batch 32", milliseconds: 0.6 },
  ...both({ case: "greedy, batch 1", milliseconds: 35 }),
  ...both({ case: "greedy, batch 1", timesFaster: 15 }),
  ...both({ case: "greedy, batch 32", timesFaster: 10 }),
  ...both({ case: "(8,128,64)", milliseconds: 8 }),
  ...both({ case: "(1,16,1)", milliseconds: 1 }),
  { precision: "bfloat16", slowdown: 1, than: "float32" },
  ...both({ case: "greedy, batch 1", tokens: TOKENS, timesReading: 5 }),
  { precision: "bfloat16", case: "(32,128,8)", timesMultiplying: 1.5 },
];

/** The suite, and the series that the others are compared with. */
export const GOALS_SUITE = "gpu";
export const EAGER = "hf";
export const COMPILED = "graphs";
/** The cases of the series `device`. */
export const COPY = "device copy";
export const product = (precision) => `product, ${precision}`;

const MERGED = ["float32", "bfloat16", "int8"];
const atOnce = "32 callers, at the same time";
const duringGenerate = "forward (1,16,1) during generate of 32 rows: p99, in steps";
const calls = ["score", "generate", "stream"];
const requests = ["text generate", "text stream", "rerank", "infer"];

/**
 * The goals of services: a `case` of a suite, whose figure is `atLeast` or `atMost` a number; with `of`, its multiple of the figure of
 * another peer or case in the same trials. Of `inverse`, a time, the speed is compared. `of.peer` "best" is the fastest of the others.
 */
export const SERVICE_GOALS = [
  ...[6.4, 5.4, 4.7].map((atLeast, index) => ({
    ...{ suite: "service", peer: "torch-t5", precision: MERGED[index], case: atOnce, atLeast },
    ...{
      inverse: true,
      of: { case: "32 callers, one after another", name: "one after another" },
      name: "generate, 32 callers",
    },
  })),
  ...MERGED.map((precision) => ({
    ...{ suite: "service", peer: "torch-t5", precision, case: atOnce, atLeast: 0.95 },
    ...{
      inverse: true,
      of: { case: "32 callers, as one batch", name: "one batch of 32" },
      name: "generate, 32 callers",
    },
  })),
  ...["exact", ...MERGED].map((precision) => ({
    ...{ suite: "service", peer: "torch-t5", precision, case: duringGenerate, atMost: 2, unit: " steps" },
    name: "forward during generate of 32 rows, p99",
  })),
  ...MERGED.map((precision) => ({
    ...{ suite: "service", peer: "torch-t5", precision, atMost: 10, unit: " steps" },
    ...{ case: "stream at 0.6 of capacity: first token, p99, in steps" },
    name: "streams at 0.6 of capacity, first token p99",
  })),
  ...calls.flatMap((call) =>
    MERGED.map((precision) => ({
      ...{ suite: "service", peer: "torch-t5", precision, atMost: 5, unit: " ms" },
      ...{ case: `${call}, 64 at once: event loop, p99`, name: `event loop at 64 callers of ${call}, p99` },
    })),
  ),
  ...["float32", "int8"].flatMap((precision) =>
    calls.map((call) => ({
      ...{ suite: "service", peer: "torch-t5", precision, case: `${call}, 32 at once: per second`, atLeast: 3 },
      ...{ of: { peer: "best" }, name: `${call}, 32 callers` },
    })),
  ),
  ...["float32", "int8"].flatMap((precision) =>
    requests.flatMap((call) =>
      [1, 32, 256].map((count) => ({
        ...{ suite: "server", peer: "torch-t5-server", precision, atLeast: 0.9 },
        ...{ case: `${call}, ${count} at once: per second`, of: { peer: "torch-t5" } },
      })),
    ),
  ),
  ...requests.map((call) => ({
    ...{ suite: "server", peer: "torch-t5-server", precision: "float32", atLeast: 5 },
    ...{ case: `${call}, 32 at once: per second`, of: { peer: "hf" } },
  })),
];
