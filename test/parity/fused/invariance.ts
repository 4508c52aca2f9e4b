// Defines tests that a row's results don't depend on the other rows of its batch, nor on its padding, bit by bit.
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Subject } from "../subject.js";

const RUNS = 40;
const MAX_SOURCE = 40;
const MAX_TARGET = 9;
const MAX_ROWS = 7;
const STEPS = 8;

/** Numbers that become ids of the vocabulary, and the number of padding positions before and after a row. */
interface Row {
  readonly source: readonly number[];
  readonly target: readonly number[];
  readonly before: number;
  readonly after: number;
}

const number = fc.nat(2 ** 20);
const row: fc.Arbitrary<Row> = fc.record({
  source: fc.array(number, { minLength: 1, maxLength: MAX_SOURCE }),
  target: fc.array(number, { minLength: MAX_TARGET, maxLength: MAX_TARGET }),
  before: fc.oneof(fc.constant(0), fc.nat(5)),
  after: fc.nat(5),
});
const batch = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: MAX_ROWS }),
  targetLength: fc.integer({ min: 1, max: MAX_TARGET }),
  /** The id of masked positions. */
  padding: number,
});

export function describeInvariance(subject: Subject): void {
  const ids = (numbers: readonly number[]) => numbers.map((value) => value % subject.prepared().vocabSize);

  /** The rows as one batch, each with its own padding. */
  function pad(rows: readonly Row[], padding: number) {
    const length = Math.max(...rows.map(({ source, before, after }) => before + source.length + after));
    const fill = (rest: number, value: number) => Array.from({ length: rest }, () => value);
    const around = ({ source, before }: Row, inside: readonly number[], outside: number) => [
      ...fill(before, outside),
      ...inside,
      ...fill(length - before - source.length, outside),
    ];
    return {
      inputIds: rows.map((one) => around(one, ids(one.source), ids([padding])[0] ?? 0)),
      attentionMask: rows.map((one) => around(one, fill(one.source.length, 1), 0)),
    };
  }

  const alone = ({ source }: Row) => ({ inputIds: [ids(source)] });

  it("forward: logits and the decoder's state", async () => {
    await fc.assert(
      fc.asyncProperty(batch, async ({ rows, targetLength, padding }) => {
        const targets = rows.map(({ target }) => ids(target.slice(0, targetLength)));
        const options = { hiddenStates: true } as const;
        const together = await subject.t5().forward({ ...pad(rows, padding), decoderInputIds: targets }, options);
        for (const [index, one] of rows.entries()) {
          const decoderInputIds = [targets[index] ?? []];
          const single = await subject.t5().forward({ ...alone(one), decoderInputIds }, options);
          assertSame(together.logits.row(index), single.logits.data, `logits of row ${index}`);
          const state = together.decoderLastHiddenState.row(index);
          assertSame(state, single.decoderLastHiddenState.data, `the state of row ${index}`);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("forward: positions and tokens", async () => {
    await fc.assert(
      fc.asyncProperty(batch, async ({ rows, targetLength, padding }) => {
        const targets = rows.map(({ target }) => ids(target.slice(0, targetLength)));
        const options = { positions: "last", tokens: [1, 2, 5] } as const;
        const together = await subject.t5().forward({ ...pad(rows, padding), decoderInputIds: targets }, options);
        for (const [index, one] of rows.entries()) {
          const decoderInputIds = [targets[index] ?? []];
          const single = await subject.t5().forward({ ...alone(one), decoderInputIds }, options);
          assertSame(together.logits.row(index), single.logits.data, `row ${index}`);
        }
      }),
      { numRuns: RUNS },
    );
  });

  const selections = fc.array(fc.array(fc.nat(MAX_TARGET), { minLength: 1, maxLength: MAX_TARGET }), {
    minLength: 1,
    maxLength: 3,
  });

  it("forward and prefill: selected positions have the bits that they have among all", async () => {
    await fc.assert(
      fc.asyncProperty(batch, selections, async ({ rows, targetLength, padding }, chosen) => {
        const targets = rows.map(({ target }) => ids(target.slice(0, targetLength)));
        const source = pad(rows, padding);
        const input = { ...source, decoderInputIds: targets };
        const next = rows.map(({ target }) => ids(target.slice(-1)));
        const { logits: all } = await subject.t5().forward(input);
        using encoded = await subject.t5().encode(source);
        const steps = async (positions?: readonly number[]) => {
          using session = encoded.startDecoding();
          const { logits: prefix } = await session.prefill(targets, positions && { positions });
          return { prefix, step: (await session.step(next)).logits.data };
        };
        const { step: expected } = await steps();
        // At the same time, so that calls with several selections share a pass.
        await Promise.all(
          chosen.map(async (some) => {
            const positions = some.map((position) => position % targetLength);
            const [{ logits }, { prefix, step }] = await Promise.all([
              subject.t5().forward(input, { positions }),
              steps(positions),
            ]);
            for (const row of rows.keys()) {
              for (const [index, position] of positions.entries()) {
                assertSame(logits.row(row, index), all.row(row, position), `forward, row ${row}, position ${position}`);
                assertSame(prefix.row(row, index), all.row(row, position), `prefill, row ${row}, position ${position}`);
              }
            }
            assertSame(step, expected, "the step after a prefill");
          }),
        );
      }),
      { numRuns: RUNS / 4 },
    );
  });

  it("embed", async () => {
    await fc.assert(
      fc.asyncProperty(batch, async ({ rows, padding }) => {
        const together = await subject.t5().embed(pad(rows, padding));
        for (const [index, one] of rows.entries()) {
          assertSame(together.row(index), (await subject.t5().embed(alone(one))).data, `row ${index}`);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("generate: tokens, and the logits of every step", async () => {
    await fc.assert(
      fc.asyncProperty(batch, async ({ rows, padding }) => {
        const options = { maxNewTokens: STEPS, eosTokenId: [], returnLogits: true } as const;
        const together = await subject.t5().generate(pad(rows, padding), options);
        for (const [index, one] of rows.entries()) {
          const single = await subject.t5().generate(alone(one), options);
          assert.deepEqual(together.sequences.row(index), single.sequences.data);
          for (const [step, logits] of single.logits.entries()) {
            assertSame(together.logits[step]?.row(index), logits.data, `row ${index}, step ${step}`);
          }
        }
      }),
      { numRuns: RUNS / 2 },
    );
  });

  it("a reordered session: each row has the bits that it has when decoded alone", async () => {
    const orders = fc.array(fc.array(fc.nat(20), { minLength: 1, maxLength: MAX_ROWS }), {
      minLength: STEPS,
      maxLength: STEPS,
    });
    await fc.assert(
      fc.asyncProperty(batch, orders, async ({ rows, padding }, all) => {
        using encoded = await subject.t5().encode(pad(rows, padding));
        using session = encoded.startDecoding();
        let read = rows.map((one) => ({ one, ids: [] as readonly number[] }));
        let last: Float32Array[] = [];
        for (const [step, order] of all.entries()) {
          session.reorder(order.map((at) => at % read.length));
          read = order.flatMap((at) => read[at % read.length] ?? []);
          const next = read.map(({ one }, index) => ids([(one.target[step] ?? 0) + index])[0] ?? 0);
          read = read.map(({ one, ids: before }, index) => ({ one, ids: [...before, next[index] ?? 0] }));
          const { logits } = await session.step(next.map((id) => [id]));
          last = read.map((_, index) => logits.row(index, 0));
        }
        for (const [index, { one, ids: decoded }] of read.entries()) {
          using own = (await subject.t5().encode(alone(one))).startDecoding();
          let logits = new Float32Array();
          for (const id of decoded) logits = new Float32Array((await own.step([[id]])).logits.data);
          assertSame(last[index], logits, `row ${index}`);
        }
      }),
      { numRuns: RUNS / 2 },
    );
  });

  it("score: each target alone or all at once, for one source or several", async () => {
    const lengths = fc.array(fc.integer({ min: 1, max: MAX_TARGET }), {
      minLength: MAX_ROWS,
      maxLength: MAX_ROWS,
    });
    await fc.assert(
      fc.asyncProperty(batch, lengths, async ({ rows, padding }, sizes) => {
        const targets = rows.map(({ target }, index) => ids(target.slice(0, sizes[index])));
        const [first] = rows;
        assert.ok(first !== undefined);
        const together = await subject.t5().score(pad(rows, padding), targets);
        const shared = await subject.t5().score(alone(first), targets, { batchSize: MAX_ROWS });
        for (const [index, one] of rows.entries()) {
          const target = [targets[index] ?? []];
          const [own] = await subject.t5().score(alone(one), target);
          assertSame(together[index]?.logProbs, own?.logProbs, `row ${index}`);
          const [ofFirst] = await subject.t5().score(alone(first), target);
          assertSame(shared[index]?.logProbs, ofFirst?.logProbs, `target ${index} of one source`);
        }
      }),
      { numRuns: RUNS },
    );
  });

  it("a batch with more rows than one matrix product takes", async () => {
    const length = 128;
    const source = (seed: number) => Array.from({ length }, (_, index) => 7 * index + 13 * seed);
    const rows = Array.from({ length: 12 }, (_, seed) => ({
      source: source(seed).slice(0, length - 9 * seed),
      target: source(seed + 50).slice(0, 32),
      before: 0,
      after: 0,
    }));
    const decoderInputIds = rows.map(({ target }) => ids(target));
    const together = await subject.t5().forward({ ...pad(rows, 0), decoderInputIds });
    for (const [index, one] of rows.entries()) {
      const single = await subject.t5().forward({ ...alone(one), decoderInputIds: [decoderInputIds[index] ?? []] });
      assertSame(together.logits.row(index), single.logits.data, `row ${index}`);
    }
  });
}

function assertSame(received: Float32Array | undefined, expected: Float32Array | undefined, name: string): void {
  assert.ok(received !== undefined && expected !== undefined, `no ${name}`);
  assert.equal(received.length, expected.length, `the size of ${name}`);
  const differing = expected.findIndex((value, index) => !Object.is(value, received[index]));
  if (differing !== -1) assert.fail(`${name}: ${received[differing]} instead of ${expected[differing]}`);
}
