import assert from "node:assert/strict";
import fc from "fast-check";
import { type GenerateResult, T5Error } from "torch-t5";
import { useModel } from "../support/model.js";
import { junk, noNumber, oddNumber } from "./junk.js";

const RUNS = 1500;
const VOCAB_SIZE = 399;
const MAX_NEW_TOKENS = 6;
/** A call that takes longer never ends. It is aborted with a reason that is not a T5Error, so that the test fails. */
const TIMEOUT_MS = 20_000;

/** Mostly a value that an option accepts. */
const mostly = <Value>(right: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 30, arbitrary: right }, { weight: 1, arbitrary: noNumber }, { weight: 1, arbitrary: oddNumber });
const between = (min: number, max: number) => mostly(fc.double({ min, max, noNaN: true }));
const count = (max: number) => mostly(fc.integer({ min: 0, max }));
const id = fc.oneof({ weight: 30, arbitrary: fc.nat(VOCAB_SIZE - 1) }, { weight: 1, arbitrary: fc.integer() });
const idList = fc.array(id, { maxLength: 4 });
const sequence = fc.array(id, { minLength: 1, maxLength: 3 });
const flag = mostly(fc.boolean());

const maxLength = fc.oneof(
  fc.record({ maxNewTokens: mostly(fc.integer({ min: 0, max: MAX_NEW_TOKENS })) }),
  fc.record({ maxLength: mostly(fc.integer({ min: 0, max: MAX_NEW_TOKENS + 1 })) }),
);
const anyOptions = fc.record(
  {
    minNewTokens: count(MAX_NEW_TOKENS),
    minLength: count(MAX_NEW_TOKENS),
    eosTokenId: mostly(fc.oneof(id, idList)),
    padTokenId: mostly(id),
    numBeams: mostly(fc.integer({ min: 0, max: 4 })),
    numReturnSequences: mostly(fc.integer({ min: 0, max: 3 })),
    lengthPenalty: between(-3, 3),
    earlyStopping: mostly(fc.constantFrom(true, false, "never")),
    doSample: flag,
    seed: mostly(fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))),
    temperature: between(0, 4),
    topK: count(500),
    topP: between(0, 1),
    minP: between(0, 1),
    typicalP: between(0, 1),
    epsilonCutoff: between(0, 1),
    etaCutoff: between(0, 1),
    repetitionPenalty: between(0, 3),
    encoderRepetitionPenalty: between(0, 3),
    noRepeatNgramSize: count(4),
    encoderNoRepeatNgramSize: count(4),
    badWordsIds: mostly(fc.array(sequence, { maxLength: 3 })),
    forcedBosTokenId: mostly(id),
    forcedEosTokenId: mostly(fc.oneof(id, idList)),
    suppressTokens: mostly(idList),
    beginSuppressTokens: mostly(idList),
    sequenceBias: mostly(fc.array(fc.tuple(sequence, fc.double({ min: -20, max: 20, noNaN: true })), { maxLength: 3 })),
    exponentialDecayLengthPenalty: mostly(fc.tuple(fc.nat(4), fc.double({ min: 0.5, max: 2, noNaN: true }))),
    renormalizeLogits: flag,
    removeInvalidValues: flag,
    stopStrings: mostly(fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 2 }))),
    maxTime: between(0, 10),
    returnLogits: flag,
    returnScores: flag,
    logProbs: count(500),
    logitsProcessor: mostly(fc.constant(() => {})),
    other: junk,
  },
  { requiredKeys: [] },
);
/** A few at a time: most pairs of options are compatible, most sets of twenty are not. */
const someOptions = fc.tuple(anyOptions, maxLength, fc.infiniteStream(fc.nat(9))).map(([all, length, draws]) => ({
  ...Object.fromEntries(Object.entries(all).filter(([name]) => name === "doSample" || (draws.next().value ?? 0) === 0)),
  ...length,
}));
const inputs = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom<unknown>("spell number: 12", ["a", "date to iso: 1/2/2003"], { inputIds: [[5, 6, 1]] }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      text: fc.constant("spell number: 7"),
      decoderInputIds: fc.oneof(fc.array(sequence, { minLength: 1, maxLength: 1 }), junk),
    }),
  },
  { weight: 1, arbitrary: junk },
);

function assertExpected(error: unknown): void {
  assert.ok(error instanceof T5Error, String(error));
  assert.ok(["ERR_INVALID_ARGUMENT", "ERR_TOKEN_OUT_OF_RANGE"].includes(error.code), `${error.code}: ${error.message}`);
  assert.match(error.message, /^Expected /);
}

function assertGenerated({ sequences }: GenerateResult): void {
  const [rows = 0, columns = 0] = sequences.shape;
  // Only the start id, if no beam is left to choose from, as in Hugging Face.
  assert.ok(rows > 0 && columns > 0);
  assert.equal(sequences.data.length, rows * columns);
  for (const token of sequences.data) assert.ok(token >= -1 && token < VOCAB_SIZE, `id ${token}`);
}

describe("generation, with random arguments,", () => {
  const model = useModel();

  it("resolves to sequences or rejects with a T5Error, and the model stays usable", async function () {
    this.timeout(300_000);
    let resolved = 0;
    await fc.assert(
      fc.asyncProperty(inputs, someOptions, async (input, options) => {
        const signal = AbortSignal.timeout(TIMEOUT_MS);
        const result = await model()
          .generate(input as never, { signal, ...options } as never)
          .catch(assertExpected);
        if (result === undefined) return;
        assertGenerated(result);
        resolved++;
      }),
      { numRuns: RUNS },
    );
    assert.ok(resolved > RUNS / 10, `only ${resolved} of the random arguments were accepted`);
    assert.equal((await model().generate("spell number: 7")).texts?.[0], "seven");
  });

  it("streams or throws a T5Error", async () => {
    let resolved = 0;
    await fc.assert(
      fc.asyncProperty(inputs, someOptions, async (input, options) => {
        try {
          const signal = AbortSignal.timeout(TIMEOUT_MS);
          let pieces = 0;
          for await (const { tokenId } of model().stream(input as never, { signal, ...options } as never)) {
            assert.ok(tokenId >= 0 && tokenId < VOCAB_SIZE);
            pieces++;
          }
          assert.ok(pieces > 0);
          resolved++;
        } catch (error) {
          assertExpected(error);
        }
      }),
      { numRuns: RUNS / 3 },
    );
    assert.ok(resolved > RUNS / 50, `only ${resolved} of the random arguments were accepted`);
  });

  it("encodes, decodes, scores, ranks and embeds, or throws a T5Error", async () => {
    const targets = fc.oneof(fc.array(fc.oneof(sequence, fc.string(), junk), { maxLength: 3 }), junk);
    const options = fc.oneof(fc.constant(undefined), junk, fc.record({ batchSize: count(4) }, { requiredKeys: [] }));
    const rows = fc.oneof(fc.array(fc.array(id, { maxLength: 3 }), { maxLength: 3 }), junk);
    let resolved = 0;
    await fc.assert(
      fc.asyncProperty(inputs, targets, rows, options, async (input, anyTargets, ids, anyOptions) => {
        const t5 = model();
        const calls: readonly (() => Promise<unknown>)[] = [
          () => t5.score(input as never, anyTargets as never, anyOptions as never),
          () => t5.rerank(input as never, anyTargets as never, anyOptions as never),
          () => t5.embed(input as never, anyOptions as never),
          async () => {
            using encoded = await t5.encode(input as never, anyOptions as never);
            using session = encoded.startDecoding(anyOptions as never);
            try {
              session.reorder(ids as never);
            } catch (error) {
              assertExpected(error);
            }
            await session.prefill(ids as never, anyOptions as never);
          },
        ];
        for (const call of calls) {
          try {
            await call();
            resolved++;
          } catch (error) {
            assertExpected(error);
          }
        }
      }),
      { numRuns: RUNS / 3 },
    );
    assert.ok(resolved > RUNS / 10, `only ${resolved} of the random arguments were accepted`);
    assert.equal((await model().embed("a")).shape[0], 1);
  });
});
