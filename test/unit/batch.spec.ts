import assert from "node:assert/strict";
import fc from "fast-check";
import { IGNORED_LABEL, shiftRight, startRows } from "#lib/inputs/decoder-input.js";
import { padRows } from "#lib/tokenizer/padded-batch.js";
import { finish } from "#lib/util/slices.js";

const id = fc.integer({ min: 1, max: 32_127 });
const rows = fc.array(fc.array(id, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 });
const labels = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 9 }))
  .chain(([batch, length]) =>
    fc
      .array(fc.oneof(id, fc.constant(IGNORED_LABEL)), { minLength: batch * length, maxLength: batch * length })
      .map((values) => ({ batch, length, data: Int32Array.from(values) })),
  );

const pad = (given: readonly (readonly number[])[], padTokenId: number) =>
  finish(
    padRows(
      given.map((row) => Int32Array.from(row)),
      padTokenId,
    ),
  );

describe("padding", () => {
  it("keeps every row, padded on the right, with a mask of ones at its ids", () => {
    fc.assert(
      fc.property(rows, (given) => {
        const { batch, length, inputIds, attentionMask } = pad(given, 0);
        assert.equal(batch, given.length);
        assert.equal(length, Math.max(...given.map((row) => row.length)));
        for (const [index, row] of given.entries()) {
          const padded = [...inputIds.subarray(index * length, (index + 1) * length)];
          assert.deepEqual(padded, [...row, ...Array(length - row.length).fill(0)]);
          const kept = attentionMask && [...attentionMask.subarray(index * length, (index + 1) * length)];
          assert.deepEqual(
            kept ?? Array(length).fill(1),
            padded.map((value) => (value === 0 ? 0 : 1)),
          );
        }
      }),
    );
  });

  it("makes no mask if nothing is padded", () => {
    assert.equal(
      pad(
        [
          [1, 2],
          [3, 4],
        ],
        0,
      ).attentionMask,
      undefined,
    );
  });

  it("uses the given padding id", () => {
    assert.deepEqual([...pad([[5], [6, 7]], 9).inputIds], [5, 9, 6, 7]);
  });
});

describe("shift right", () => {
  it("puts the start id first and drops the last label of each row", () => {
    const shifted = shiftRight({ batch: 2, length: 3, data: Int32Array.of(4, 5, 6, 7, 8, 9) }, 2, 0);
    assert.deepEqual([...shifted.data], [2, 4, 5, 2, 7, 8]);
  });

  it("is Hugging Face's _shift_right: position t has label t - 1, or padding for an ignored label", () => {
    fc.assert(
      fc.property(labels, (given) => {
        const { batch, length, data } = shiftRight(given, 7, 3);
        assert.deepEqual([batch, length, data.length], [given.batch, given.length, given.data.length]);
        for (const [index, value] of data.entries()) {
          const before = given.data[index - 1] ?? 0;
          assert.equal(value, index % length === 0 ? 7 : before === IGNORED_LABEL ? 3 : before);
        }
      }),
    );
  });

  it("doesn't change the labels", () => {
    const given = { batch: 1, length: 2, data: Int32Array.of(IGNORED_LABEL, 5) };
    shiftRight(given, 0, 0);
    assert.deepEqual([...given.data], [IGNORED_LABEL, 5]);
  });
});

describe("the default decoder input", () => {
  it("is the start id for each row", () => {
    assert.deepEqual(startRows(3, 4), { batch: 3, length: 1, data: Int32Array.of(4, 4, 4) });
  });
});
