// Bitwise comparison with the reference's tensors, and a message that states how far apart two tensors are.
import assert from "node:assert/strict";
import type { Tensor } from "torch-t5";
import type { Reference } from "../support/reference.js";

/** A tensor that the reference wrote to a file. */
export interface ReferenceTensor {
  readonly file: string;
  readonly shape: readonly number[];
}

/** The reply to `forward`. */
export interface ReferenceForward {
  readonly logits: ReferenceTensor;
  readonly encoderLastHiddenState: ReferenceTensor;
  readonly decoderLastHiddenState: ReferenceTensor;
  readonly loss?: ReferenceTensor;
}

/** Fails unless the received numbers match the expected ones. */
export type Compare = (name: string, received: Float32Array, expected: Float32Array, shape: readonly number[]) => void;

/** How results are compared with the reference's: bit by bit here, with a tolerance in fused/tolerances.ts. */
export interface Comparison {
  /** Logits of whole vocabularies. */
  readonly logits: Compare;
  /** Any other numbers. */
  readonly numbers: Compare;
  /** An encoder state. The mask, if there is one, has a zero for each position of padding. */
  encoderState(received: Tensor, expected: Float32Array, attentionMask: Mask | undefined): void;
}

type Mask = readonly (readonly number[])[];

export const BITWISE: Comparison = {
  logits: assertSameFloats,
  numbers: assertSameFloats,
  encoderState: (received, expected) =>
    assertSameFloats("the encoder's state", received.data, expected, received.shape),
};

/** Reads a tensor of the reference and removes its file. */
export function takeFloats(reference: Reference, { file }: ReferenceTensor): Float32Array {
  return new Float32Array(new Uint8Array(reference.take(file)).buffer);
}

/** Fails unless the tensor has the reference's shape and bits. */
export function assertSameBits(name: string, received: Tensor, reference: Reference, expected: ReferenceTensor): void {
  assertSameShape(name, received, expected);
  assertSameFloats(name, received.data, takeFloats(reference, expected), received.shape);
}

/** Fails unless the shapes are equal. */
export function assertSameShape(name: string, received: Tensor, expected: ReferenceTensor): void {
  assert.deepEqual([...received.shape], [...expected.shape], `shape of ${name}`);
}

/** Fails unless both have the same bits, including NaN and the sign of zero. */
export function assertSameFloats(
  name: string,
  received: Float32Array,
  expected: Float32Array,
  shape: readonly number[],
): void {
  assert.ok(expected.length > 0, `the reference of ${name} is empty`);
  if (!bytes(received).equals(bytes(expected))) assert.fail(describeDifference(name, received, expected, shape));
}

/** Fails unless the loss has the bits of the reference's float32. */
export function assertSameLoss(received: number, reference: Reference, expected: ReferenceTensor | undefined): void {
  assert.ok(expected !== undefined, "the reference has no loss");
  const loss = takeFloats(reference, expected);
  assert.ok(Number.isFinite(loss[0]), `the reference's loss is ${loss[0]}`);
  assertSameFloats("loss", Float32Array.of(received), loss, []);
  assertFloat32(received, "loss");
}

/** Fails unless a number is a float32, so that its conversion to float32 hides no difference. */
export function assertFloat32(value: number, name: string): void {
  assert.equal(Math.fround(value), value, name);
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
