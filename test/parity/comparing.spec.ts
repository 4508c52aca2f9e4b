import assert from "node:assert/strict";
import { assertSameFloats, describeDifference } from "./comparing.js";

describe("the bitwise comparison of the parity tests", () => {
  const values = Float32Array.of(1, -2, 0, Number.NaN);

  /** A copy of `values` with one bit of one number flipped. */
  function withChangedBit(index: number, bit: number): Float32Array {
    const changed = values.slice();
    const bits = new Int32Array(changed.buffer);
    bits[index] = (bits[index] ?? 0) ^ (1 << bit);
    return changed;
  }

  it("accepts equal bits, including NaN", () => {
    assertSameFloats("values", values.slice(), values, [4]);
  });

  it("detects a changed last bit of one value", () => {
    assert.throws(() => assertSameFloats("values", withChangedBit(1, 0), values, [4]), /1 of 4 values differ/);
  });

  it("detects a changed sign of zero", () => {
    assert.throws(() => assertSameFloats("values", withChangedBit(2, 31), values, [4]), /1 of 4 values differ/);
  });

  it("refuses an empty reference, which any empty result would equal", () => {
    const none = new Float32Array(0);
    assert.throws(() => assertSameFloats("values", none, none, [0]), /is empty/);
  });

  it("states the shape, how many values differ and by how much", () => {
    const difference = describeDifference("logits", Float32Array.of(1, 2, 3), Float32Array.of(1, 2.5, 2), [1, 3]);
    assert.equal(difference, "logits [1, 3]: 2 of 3 values differ, by up to 1");
  });
});
