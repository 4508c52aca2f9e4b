// Random texts, of the embedded model's tasks and others, and random options of `generate`.
import fc from "fast-check";
import type { GenerateOptions } from "torch-t5";

/** A source text. */
export const text = fc.oneof(
  fc.nat(999_999).map((number) => `spell number: ${number}`),
  fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 28 }), fc.integer({ min: 1900, max: 2099 }))
    .map(([month, day, year]) => `date to iso: ${month}/${day}/${year}`),
  fc.string({ minLength: 1, maxLength: 20 }),
);

const maxNewTokens = fc.integer({ min: 1, max: 10 });
const seed = fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

/** Options of greedy search and sampling. */
export const strategy: fc.Arbitrary<GenerateOptions> = fc.oneof(
  fc.record({ maxNewTokens }),
  fc.record({ maxNewTokens, repetitionPenalty: fc.double({ min: 0.5, max: 2, noNaN: true }) }),
  fc.record({ maxNewTokens, noRepeatNgramSize: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ maxNewTokens, doSample: fc.constant(true), seed }),
  fc.record({
    maxNewTokens,
    doSample: fc.constant(true),
    seed,
    temperature: fc.double({ min: 0.3, max: 3, noNaN: true }),
    topK: fc.integer({ min: 0, max: 60 }),
    topP: fc.double({ min: 0.1, max: 1, noNaN: true }),
  }),
);

/** The same, and options of beam search. */
export const search: fc.Arbitrary<GenerateOptions> = fc.oneof(
  strategy,
  fc.record({
    maxNewTokens,
    numBeams: fc.integer({ min: 2, max: 4 }),
    lengthPenalty: fc.double({ min: -1, max: 2, noNaN: true }),
    earlyStopping: fc.constantFrom(true, false, "never" as const),
  }),
  fc.record({ maxNewTokens, numBeams: fc.integer({ min: 2, max: 4 }), doSample: fc.constant(true), seed }),
);
