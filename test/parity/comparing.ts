// Bits against bits, and a message that says how far apart they are.
import assert from "node:assert/strict";
import type { Tensor } from "torch-t5";
import type { Reference } from "../support/reference.js";

/** A tensor that the reference wrote. */
export interface ReferenceTensor {
  readonly file: string;
  readonly shape: readonly number[];
}

/** What the reference's `forward` replies. */
export interface ReferenceForward {
  readonly logits: ReferenceTensor;
  readonly encoderLastHiddenState: ReferenceTensor;
  readonly decoderLastHiddenState: ReferenceTensor;
  readonly loss?: ReferenceTensor;
}

/** Fails unless the tensor has the reference's shape and every bit of it. */
export function assertSameBits(name: string, received: Tensor, reference: Reference, expected: ReferenceTensor): void {
  assert.deepEqual([...received.shape], [...expected.shape], `shape of ${name}`);
  assertSameFloats(name, received.data, floats(reference.bytes(expected.file)), received.shape);
}

/** Fails unless both hold the same bits, NaN and the sign of zero included. */
export function assertSameFloats(
  name: string,
  received: Float32Array,
  expected: Float32Array,
  shape: readonly number[],
): void {
  assert.ok(expected.length > 0, `the reference of ${name} is empty`);
  if (!bytes(received).equals(bytes(expected))) assert.fail(describeDifference(name, received, expected, shape));
}

/** Fails unless the loss is the reference's float32. */
export function assertSameLoss(received: number, reference: Reference, expected: ReferenceTensor | undefined): void {
  assert.ok(expected !== undefined, "the reference has no loss");
  const loss = floats(reference.bytes(expected.file));
  assert.ok(Number.isFinite(loss[0]), `the reference's loss is ${loss[0]}`);
  assertSameFloats("loss", Float32Array.of(received), loss, []);
  // Nothing was rounded on the way: the number itself is a float32.
  assert.equal(Math.fround(received), received);
}

/** A file's bytes as numbers. */
export function floats(content: Buffer): Float32Array {
  return new Float32Array(new Uint8Array(content).buffer);
}

/** "logits [2, 3, 512]: 17 of 3072 values differ, by up to 1e-6". */
export function describeDifference(
  name: string,
  received: Float32Array,
  expected: Float32Array,
  shape: readonly number[],
): string {
  const bits = (values: Float32Array) => new Int32Array(values.buffer, values.byteOffset, values.length);
  const [receivedBits, expectedBits] = [bits(received), bits(expected)];
  let differing = 0;
  let largest = 0;
  for (const [index, value] of expected.entries()) {
    if (receivedBits[index] === expectedBits[index]) continue;
    differing += 1;
    largest = Math.max(largest, Math.abs((received[index] ?? Number.NaN) - value));
  }
  const sizes = received.length === expected.length ? "" : ` (${received.length} values received)`;
  return `${name} [${shape.join(", ")}]: ${differing} of ${expected.length} values differ, by up to ${largest}${sizes}`;
}

function bytes(values: Float32Array): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}
