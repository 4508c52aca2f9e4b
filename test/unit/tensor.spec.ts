import assert from "node:assert/strict";
import { inspect } from "node:util";
import fc from "fast-check";
import { T5Error, Tensor } from "torch-t5";

const sample = () => new Tensor(Float32Array.of(1, 3, 2, 6, 5, 4, 0, 0, 7, -1, -2, -3), [2, 2, 3]);
const disposed = { name: "T5Error", code: "ERR_DISPOSED" };

const logits = fc.float({ noNaN: true, min: -50, max: 50 });
const matrix = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 40 }))
  .chain(([rows, columns]) =>
    fc
      .array(logits, { minLength: rows * columns, maxLength: rows * columns })
      .map((values) => new Tensor(Float32Array.from(values), [rows, columns])),
  );
const rowsOf = (tensor: Tensor) => Array.from({ length: tensor.shape[0] ?? 0 }, (_, row) => [...tensor.row(row)]);

/** The indices in the order of a stable descending sort. */
const sorted = (row: readonly number[]) => row.map((_, index) => index).sort((a, b) => (row[b] ?? 0) - (row[a] ?? 0));

describe("Tensor", () => {
  it("has a shape over its data, which isn't copied", () => {
    const data = Float32Array.of(1, 2);
    const tensor = new Tensor(data, [1, 2]);
    assert.equal(tensor.data, data);
    assert.deepEqual(tensor.shape, [1, 2]);
  });

  it("has rows that are views, not copies", () => {
    const tensor = sample();
    assert.deepEqual([...tensor.row(1, 0)], [0, 0, 7]);
    assert.deepEqual([...tensor.row(1)], [0, 0, 7, -1, -2, -3]);
    assert.equal(tensor.row(1, 0).buffer, tensor.data.buffer);
    assert.equal(tensor.row().length, 12);
  });

  it("reduces its last axis to the index of the largest number", () => {
    const best = sample().argmax();
    assert.deepEqual(best.shape, [2, 2]);
    assert.deepEqual([...best.data], [1, 0, 2, 0]);
  });

  it("takes the first of equal numbers, and NaN as the maximum, as PyTorch does", () => {
    assert.deepEqual([...new Tensor(Float32Array.of(2, 2, 1), [3]).argmax().data], [0]);
    const tensor = new Tensor(Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY, Number.NaN), [1, 4]);
    assert.deepEqual([...tensor.argmax().data], [1]);
    assert.deepEqual([...tensor.topK(4).indices.data], [1, 3, 2, 0]);
  });

  it("has a softmax that is stable for large numbers", () => {
    const probabilities = new Tensor(Float32Array.of(10_000, 10_000, -10_000), [1, 3]).softmax();
    assert.deepEqual([...probabilities.data], [0.5, 0.5, 0]);
  });

  it("has probabilities that add up to one, in the order of the numbers", () => {
    fc.assert(
      fc.property(matrix, (tensor) => {
        const probabilities = rowsOf(tensor.softmax());
        for (const [index, row] of rowsOf(tensor).entries()) {
          const found = probabilities[index] ?? [];
          assert.ok(Math.abs(found.reduce((sum, value) => sum + value, 0) - 1) < 1e-5);
          for (const [a, b] of sorted(row)
            .slice(1)
            .map((b, rank) => [sorted(row)[rank] ?? 0, b] as const)) {
            assert.ok((found[a] ?? 0) >= (found[b] ?? 0));
          }
        }
      }),
    );
  });

  it("has log-probabilities that are the logarithms of its probabilities", () => {
    fc.assert(
      fc.property(matrix, (tensor) => {
        const probabilities = tensor.softmax().data;
        for (const [index, value] of tensor.logSoftmax().data.entries()) {
          assert.ok(Math.abs(Math.exp(value) - (probabilities[index] ?? 0)) < 1e-6);
        }
      }),
    );
  });

  it("has a topK that is the beginning of a stable descending sort", () => {
    fc.assert(
      fc.property(matrix, fc.nat(), (tensor, seed) => {
        const k = (seed % (tensor.shape[1] ?? 1)) + 1;
        const { values, indices } = tensor.topK(k);
        assert.deepEqual(values.shape, [tensor.shape[0], k]);
        assert.deepEqual(indices.shape, values.shape);
        const wanted = rowsOf(tensor).flatMap((row) => sorted(row).slice(0, k));
        assert.deepEqual([...indices.data], wanted);
        const numbers = rowsOf(tensor).flatMap((row) =>
          sorted(row)
            .slice(0, k)
            .map((index) => row[index]),
        );
        assert.deepEqual([...values.data], numbers);
      }),
    );
  });

  it("keeps integers integers", () => {
    const { values } = new Tensor(Int32Array.of(3, 9, 4), [1, 3]).topK(2);
    assert.ok(values.data instanceof Int32Array);
    assert.deepEqual([...values.data], [9, 4]);
  });

  it("is empty after dispose, and its methods throw ERR_DISPOSED", () => {
    const released: ArrayBufferLike[] = [];
    const data = Float32Array.of(1, 2);
    const tensor = new Tensor(data, [1, 2], (buffer) => released.push(buffer));
    tensor.dispose();
    tensor.dispose();
    assert.deepEqual(released, [data.buffer]);
    assert.equal(tensor.data.length, 0);
    for (const use of [() => tensor.row(0), () => tensor.argmax(), () => tensor.softmax(), () => tensor.topK(1)]) {
      assert.throws(use, disposed);
    }
  });

  it("is disposed at the end of a block that uses it", () => {
    const tensor = sample();
    tensor[Symbol.dispose]();
    assert.equal(tensor.data.length, 0);
  });

  it("counts as disposed when its buffer was transferred to another thread", () => {
    const tensor = sample();
    structuredClone(tensor.data.buffer, { transfer: [tensor.data.buffer as ArrayBuffer] });
    assert.throws(() => tensor.argmax(), disposed);
  });

  const wrong: readonly (readonly [promise: string, use: () => unknown, message: RegExp])[] = [
    ["data of another type", () => new Tensor([1] as never, [1]), /Float32Array or an Int32Array for data/],
    ["a number as a shape", () => new Tensor(Float32Array.of(1), 1 as never), /an array for shape but received 1/],
    ["a negative length", () => new Tensor(Float32Array.of(1), [-1]), /for shape\[0\] but received -1/],
    ["a shape of another size", () => new Tensor(Float32Array.of(1), [2]), /2 numbers, .* for data but received 1/],
    ["an index that is too large", () => sample().row(2), /from 0 to 1 for index 0 of row but received 2/],
    ["a negative index", () => sample().row(0, -1), /for index 1 of row but received -1/],
    ["too many indices", () => sample().row(0, 0, 0), /at most 2 indices for row but received 3/],
    ["NaN as k", () => sample().topK(Number.NaN), /from 1 to 3 for k but received NaN/],
    ["k of 0", () => sample().topK(0), /for k but received 0/],
    ["k beyond the axis", () => sample().topK(4), /for k but received 4/],
    ["a reduction of nothing", () => new Tensor(new Float32Array(0), [2, 0]).argmax(), /not empty/],
  ];
  for (const [promise, use, message] of wrong) {
    it(`refuses ${promise}`, () => {
      assert.throws(
        use,
        (error) => error instanceof T5Error && error.code === "ERR_INVALID_ARGUMENT" && message.test(error.message),
      );
    });
  }

  it("is short as JSON and on the console: its shape and its first 8 numbers", () => {
    const tensor = new Tensor(
      Float32Array.from({ length: 399 }, (_, index) => index / 2),
      [1, 1, 399],
    );
    const first = [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5];
    assert.deepEqual(JSON.parse(JSON.stringify({ tensor })), {
      tensor: { shape: [1, 1, 399], type: "Float32Array", first },
    });
    assert.match(
      inspect(tensor),
      /^Tensor \{\s+shape: \[ 1, 1, 399 \],\s+data: Float32Array\(399\) \[\s+0, 0\.5,\s+1, 1\.5,\s+2, 2\.5,\s+3, 3\.5,\s+\.\.\. 391 more items\s+\]\s+\}$/,
    );
    const small = new Tensor(Int32Array.of(7, 8), [2]);
    assert.equal(inspect([small]), "[ Tensor { shape: [ 2 ], data: Int32Array(2) [ 7, 8 ] } ]");
    assert.equal(JSON.stringify(small), '{"shape":[2],"type":"Int32Array","first":[7,8]}');
    small.dispose();
    assert.equal(inspect(small), "Tensor { shape: [ 2 ], data: 'disposed' }");
    assert.equal(JSON.stringify(small), '{"shape":[2],"type":"Int32Array","first":[]}');
    const empty = new Tensor(new Float32Array(), [0, 3]);
    assert.equal(inspect(empty), "Tensor { shape: [ 0, 3 ], data: Float32Array(0) [] }");
    assert.equal(
      JSON.stringify(new Tensor(Float32Array.of(Number.NaN), [])),
      '{"shape":[],"type":"Float32Array","first":[null]}',
    );
  });
});
