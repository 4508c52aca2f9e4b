import assert from "node:assert/strict";
import fc from "fast-check";
import type { DecodingSession } from "torch-t5";
import { PRECISIONS, useModel } from "../support/model.js";

const RUNS = 60;
/**
 * For logits of a row at another position of the batch, or in another batch: a matrix product adds a row's terms in an
 * order that depends on the row's position. Measured: below 1e-5 on logits of about ten.
 */
const TOLERANCE = 3e-5;

/** One change to a session. Row numbers are taken modulo the number of rows. */
type Action =
  | { readonly kind: "step"; readonly tokens: readonly number[] }
  | { readonly kind: "reorder"; readonly rows: readonly number[] };

const tokens = fc.array(fc.nat(398), { minLength: 4, maxLength: 4 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("step" as const), tokens }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("reorder" as const),
      rows: fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }),
    }),
  },
);
const actions = fc.array(action, { minLength: 1, maxLength: 8 });
const sources = fc.array(fc.array(fc.integer({ min: 3, max: 398 }), { minLength: 3, maxLength: 3 }), {
  minLength: 1,
  maxLength: 3,
});

/** Performs one action. Resolves to the logits of a step, `[rows, vocabSize]`. */
async function act(session: DecodingSession, what: Action): Promise<Float32Array | undefined> {
  if (what.kind === "reorder") {
    session.reorder(what.rows.map((row) => row % session.batch));
    return undefined;
  }
  const { logits } = await session.step(Array.from({ length: session.batch }, (_, row) => [what.tokens[row] ?? 0]));
  return logits.data;
}

async function actAll(
  session: DecodingSession,
  all: readonly Action[],
): Promise<readonly (Float32Array | undefined)[]> {
  const results = [];
  for (const what of all) results.push(await act(session, what));
  return results;
}

function assertSame(
  received: readonly (Float32Array | undefined)[],
  expected: readonly (Float32Array | undefined)[],
): void {
  assert.equal(received.length, expected.length);
  for (const [index, values] of expected.entries()) assert.deepEqual(received[index], values);
}

for (const precision of PRECISIONS) {
  describe(`a decoding session, in ${precision}`, () => {
    const model = useModel({ precision });

    it("a session and its fork give the bits of sessions that repeat all of their steps", async () => {
      await fc.assert(
        fc.asyncProperty(sources, actions, actions, actions, async (inputIds, past, mine, forks) => {
          const encoded = await model().encode({ inputIds });
          const session = encoded.startDecoding();
          await actAll(session, past);
          const fork = session.fork();
          assert.equal(fork.position, session.position);
          // Alternately: neither affects the other.
          const [own, its] = await Promise.all([actAll(session, mine), actAll(fork, forks)]);

          const replay = async (rest: readonly Action[]) => {
            const fresh = encoded.startDecoding();
            await actAll(fresh, past);
            return actAll(fresh, rest);
          };
          assertSame(own, await replay(mine));
          assertSame(its, await replay(forks));
        }),
        { numRuns: RUNS },
      );
    });

    it("a reordered session continues each row as if it were decoded alone", async () => {
      await fc.assert(
        fc.asyncProperty(sources, actions, tokens, async (inputIds, past, last) => {
          const encoded = await model().encode({ inputIds });
          const session = encoded.startDecoding();
          // The source of each row of the session, and the tokens that it has read.
          let rows = inputIds.map((source) => ({ source, read: [] as readonly number[] }));
          for (const what of [...past, { kind: "step", tokens: last } as const]) {
            const logits = await act(session, what);
            if (what.kind === "reorder") {
              rows = what.rows.flatMap((row) => rows[row % rows.length] ?? []);
              continue;
            }
            rows = rows.map(({ source, read }, row) => ({ source, read: [...read, what.tokens[row] ?? 0] }));
            if (what.tokens !== last) continue;
            for (const [row, { source, read }] of rows.entries()) {
              const alone = await model().forward(
                { inputIds: [source], decoderInputIds: [read] },
                { positions: "last" },
              );
              const { vocabSize } = model().config;
              const received = logits?.subarray(row * vocabSize, (row + 1) * vocabSize) ?? new Float32Array();
              for (const [id, value] of alone.logits.data.entries()) {
                assert.ok(Math.abs((received[id] ?? Number.NaN) - value) <= TOLERANCE, `row ${row}, id ${id}`);
              }
            }
          }
        }),
        { numRuns: RUNS },
      );
    });
  });
}
