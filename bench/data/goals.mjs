// The goals for a GPU, as data. `case` is one of the suite `gpu`. The kinds of limits: `milliseconds`, which a call may take, divided by
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
