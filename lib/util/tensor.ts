// Tensors: numbers in row-major order with a shape, over memory that can be freed at once. Arrays may be of another realm
// than this module (a test runner's, say), so they are not checked with `instanceof`.
import { type InspectOptionsStylized, inspect, types } from "node:util";
import { T5Error } from "./errors.js";
import { argmaxOf, logSoftmaxInto, softmaxInto, topIndicesInto } from "./reductions.js";
import { checkInteger, expected } from "./validation.js";

/** The data of a tensor. */
export type TensorData = Float32Array | Int32Array;

/** The largest values along the last axis in descending order, and their indices on that axis. Both: `[..., k]`. */
export interface TopK<Data extends TensorData = Float32Array> {
  readonly values: Tensor<Data>;
  readonly indices: Tensor<Int32Array>;
}

/** What `JSON.stringify` writes of a tensor. */
export interface TensorSummary {
  readonly shape: readonly number[];
  readonly type: "Float32Array" | "Int32Array";
  /** The first numbers of `data`, up to 8; none after `dispose()`. JSON has no NaN and no infinities: null. */
  readonly first: readonly number[];
}

/** The number of numbers that a summary has. */
const SUMMARY_LENGTH = 8;

/**
 * Numbers with a shape. `data` of a result is a view on an ArrayBuffer of its own, whose memory is freed by
 * `dispose()`, or when the garbage collector finds it unused.
 */
export class Tensor<Data extends TensorData = Float32Array> {
  /** The length of each axis, for instance `[batch, targetLength, vocabSize]`. */
  readonly shape: readonly number[];
  readonly #size: number;
  readonly #release: ((buffer: ArrayBufferLike) => void) | undefined;
  #data: Data;

  /**
   * A tensor over `data`, which is not copied. Throws ERR_INVALID_ARGUMENT unless the shape has as many numbers as
   * `data`. `release` is called with the buffer when the tensor is disposed.
   */
  constructor(data: Data, shape: readonly number[], release?: (buffer: ArrayBufferLike) => void) {
    if (!(types.isFloat32Array(data) || types.isInt32Array(data))) {
      throw expected("a Float32Array or an Int32Array", "data", data);
    }
    if (!Array.isArray(shape)) throw expected("an array", "shape", shape);
    let size = 1;
    for (const [axis, length] of shape.entries()) size *= checkInteger(length, `shape[${axis}]`, 0);
    if (size !== data.length) throw expected(`${size} numbers, as the shape has,`, "data", data.length);
    this.shape = Object.freeze([...shape]);
    this.#size = size;
    this.#data = data;
    this.#release = release;
  }

  /** The numbers in row-major order; empty after `dispose()`. */
  get data(): Data {
    return this.#data;
  }

  /**
   * The numbers at an index into the leading axes, as a view on `data`. For logits `[batch, targetLength, vocabSize]`,
   * `row(b, t)` has the logits of one position and `row(b)` those of all positions. Throws ERR_INVALID_ARGUMENT,
   * ERR_DISPOSED.
   */
  row(...index: readonly number[]): Data {
    const data = this.#live();
    if (index.length >= Math.max(this.shape.length, 1)) {
      throw expected(`at most ${Math.max(this.shape.length - 1, 0)} indices`, "row", index.length);
    }
    let start = 0;
    let length = this.#size;
    for (const [axis, position] of index.entries()) {
      const count = this.shape[axis] ?? 0;
      length = count === 0 ? 0 : length / count;
      start += checkInteger(position, `index ${axis} of row`, 0, count - 1) * length;
    }
    return data.subarray(start, start + length) as Data;
  }

  /**
   * The index of the maximum along the last axis, the first of equal ones. Shape: without the last axis. This and the
   * methods below throw ERR_INVALID_ARGUMENT for an empty last axis, ERR_DISPOSED.
   */
  argmax(): Tensor<Int32Array> {
    const rows = this.#rows();
    return new Tensor(
      Int32Array.from(rows, (row) => argmaxOf(row)),
      this.shape.slice(0, -1),
    );
  }

  /** Probabilities along the last axis. Shape: the same. */
  softmax(this: Tensor<Float32Array>): Tensor {
    return this.#map(softmaxInto);
  }

  /** Natural logarithms of the probabilities along the last axis. Shape: the same. */
  logSoftmax(this: Tensor<Float32Array>): Tensor {
    return this.#map(logSoftmaxInto);
  }

  /**
   * The `k` largest numbers along the last axis and their indices, both `[..., k]`, in descending order. Throws
   * ERR_INVALID_ARGUMENT also for a `k` that isn't from 1 to the length of that axis.
   */
  topK(k: number): TopK<Data> {
    const rows = this.#rows();
    checkInteger(k, "k", 1, this.shape.at(-1) ?? 0);
    const shape = [...this.shape.slice(0, -1), k];
    const indices = new Int32Array(rows.length * k);
    const values = this.#like(indices.length);
    for (const [position, row] of rows.entries()) {
      const found = indices.subarray(position * k, (position + 1) * k);
      topIndicesInto(row, found);
      for (const [rank, index] of found.entries()) values[position * k + rank] = row[index] ?? 0;
    }
    return { values: new Tensor(values, shape), indices: new Tensor(indices, shape) };
  }

  /** Frees the memory now: `data` becomes empty, and the methods throw ERR_DISPOSED. Idempotent. */
  dispose(): void {
    const { buffer } = this.#data;
    if (this.#data.length > 0) this.#release?.(buffer);
    this.#data = this.#like(0);
  }

  /** The same as `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The shape and the first 8 numbers, for `JSON.stringify`: logits are too large for a log. */
  toJSON(): TensorSummary {
    const type = types.isFloat32Array(this.#data) ? "Float32Array" : "Int32Array";
    return { shape: this.shape, type, first: [...this.#data.subarray(0, SUMMARY_LENGTH)] };
  }

  /**
   * The shape and the first 8 numbers, for `console.log`.
   * @internal
   */
  [inspect.custom](_depth: number, options: InspectOptionsStylized): string {
    const { shape } = this;
    const data = this.#data.length === this.#size ? this.#data : "disposed";
    // Of subclasses, their other properties too.
    return `${this.constructor.name} ${inspect({ ...this, shape, data }, { ...options, maxArrayLength: SUMMARY_LENGTH })}`;
  }

  #map(write: (row: Float32Array, into: Float32Array) => void): Tensor {
    const length = this.shape.at(-1) ?? 0;
    const rows = this.#rows();
    const data = new Float32Array(this.#size);
    for (const [position, row] of rows.entries()) {
      if (!types.isFloat32Array(row)) throw expected("a Float32Array", "the data of a tensor to normalize", row);
      write(row, data.subarray(position * length, (position + 1) * length));
    }
    return new Tensor(data, this.shape);
  }

  /** A view for each index into the leading axes. */
  #rows(): readonly Data[] {
    const data = this.#live();
    const length = this.shape.at(-1) ?? 0;
    if (length === 0) throw expected("a last axis that is not empty", "a reduction of a tensor", length);
    return Array.from(
      { length: this.#size / length },
      (_, row) => data.subarray(row * length, (row + 1) * length) as Data,
    );
  }

  /** An array of the type of the data. */
  #like(length: number): Data {
    return (types.isFloat32Array(this.#data) ? new Float32Array(length) : new Int32Array(length)) as Data;
  }

  /** The data. Throws ERR_DISPOSED if it is gone. */
  #live(): Data {
    // A detached buffer (transferred to another thread, say) is empty as well.
    if (this.#data.length === this.#size) return this.#data;
    throw new T5Error("ERR_DISPOSED", "Expected a tensor that holds its data but it was disposed");
  }
}
