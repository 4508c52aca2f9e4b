import assert from "node:assert/strict";
import { agreementOf, merge } from "#lib/cli/commands/agreement.js";
import { generator } from "../parity/cases.js";

const VOCABULARY = 50;

/** The softmax by its definition, without subtracting the maximum. */
function softmax(logits: readonly number[]): readonly number[] {
  const exponentials = logits.map(Math.exp);
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}

/** The KL divergence by its definition: the mean, under the reference, of the logarithm of the probabilities' ratio. */
function divergence(reference: readonly number[], found: readonly number[]): number {
  const [p, q] = [softmax(reference), softmax(found)];
  return p.reduce((sum, value, index) => sum + value * Math.log(value / (q[index] ?? Number.NaN)), 0);
}

const close = (received: number, expected: number) =>
  assert.ok(Math.abs(received - expected) <= 1e-12 * Math.max(1, Math.abs(expected)), `${received}, not ${expected}`);

function makeRows(seed: number, rows: number, spread: number) {
  const random = generator(seed);
  const reference = Float32Array.from({ length: rows * VOCABULARY }, () => 8 * random() - 4);
  return { reference, found: reference.map((logit) => logit + spread * (random() - 0.5)) };
}

const splitRows = (values: Float32Array) =>
  Array.from({ length: values.length / VOCABULARY }, (_, row) => [
    ...values.subarray(row * VOCABULARY, (row + 1) * VOCABULARY),
  ]);

const best = (row: readonly number[]) => row.indexOf(Math.max(...row));

describe("agreement of logits with a reference", () => {
  for (const spread of [1e-5, 0.1, 6]) {
    it(`follows the definitions, at a spread of ${spread}`, () => {
      const { reference, found } = makeRows(3, 7, spread);
      const agreement = agreementOf(reference, found, VOCABULARY);
      const [ours, theirs] = [splitRows(found), splitRows(reference)];
      const divergences = theirs.map((row, index) => divergence(row, ours[index] ?? []));
      const differences = [...reference].map((value, index) => Math.abs(value - (found[index] ?? Number.NaN)));
      const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      assert.equal(agreement.isBitwiseEqual, false);
      assert.equal(agreement.positions, 7);
      assert.equal(agreement.largestDifference, Math.max(...differences));
      close(agreement.meanDifference, mean(differences));
      close(agreement.top1, mean(theirs.map((row, index) => (best(row) === best(ours[index] ?? []) ? 1 : 0))));
      close(agreement.meanDivergence, mean(divergences));
      close(agreement.largestDivergence, Math.max(...divergences));
    });
  }

  it("is perfect for the same bits, and has no divergence where every logit is shifted by the same number", () => {
    const { reference } = makeRows(4, 2, 0);
    const same = agreementOf(reference, reference.slice(), VOCABULARY);
    const perfect = { largestDifference: 0, meanDifference: 0, top1: 1, meanDivergence: 0, largestDivergence: 0 };
    assert.deepEqual(same, { isBitwiseEqual: true, numbers: 2 * VOCABULARY, positions: 2, ...perfect });
    const shifted = agreementOf(Float32Array.of(1, 2, 3), Float32Array.of(3, 4, 5), 3);
    assert.equal(shifted.largestDifference, 2);
    close(shifted.largestDivergence, 0);
    assert.equal(shifted.top1, 1);
  });

  it("isn't bitwise for zeros of opposite sign", () => {
    const { isBitwiseEqual, largestDifference } = agreementOf(Float32Array.of(0, 1), Float32Array.of(-0, 1), 2);
    assert.deepEqual([isBitwiseEqual, largestDifference], [false, 0]);
  });

  it("has no finite difference where a logit isn't a finite number, on either side", () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const [right, bad] = [Float32Array.of(1, 2, 3), Float32Array.of(1, wrong, 3)];
      assert.equal(Number.isFinite(agreementOf(right, bad, 3).largestDifference), false, `${wrong} found`);
      assert.equal(Number.isFinite(agreementOf(bad, bad, 3).largestDifference), false, `${wrong} on both sides`);
    }
  });

  it("is rejected for another number of logits", () => {
    assert.throws(() => agreementOf(new Float32Array(4), new Float32Array(6), 2), /Expected 4 numbers but received 6/);
  });

  it("of several comparisons, merged, is that of all their positions", () => {
    const { reference, found } = makeRows(5, 9, 1);
    const split = 4 * VOCABULARY;
    const parts = [
      agreementOf(reference.subarray(0, split), found.subarray(0, split), VOCABULARY),
      agreementOf(reference.subarray(split), found.subarray(split), VOCABULARY),
    ];
    const [merged, whole] = [merge(parts), agreementOf(reference, found, VOCABULARY)];
    for (const [name, value] of Object.entries(whole)) {
      const other = merged[name as keyof typeof merged];
      if (typeof value === "number") close(Number(other), value);
      else assert.equal(other, value, name);
    }
  });
});
