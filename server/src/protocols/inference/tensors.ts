// Tensors of the Open Inference Protocol: names, datatypes and shapes, and their elements in binary form and in JSON.
import { expected } from "../../errors/server-error.js";

/** The datatypes that models read. */
const INTEGER_TYPES = ["INT32", "INT64"] as const;
type IntegerType = (typeof INTEGER_TYPES)[number];

/** A tensor of token ids or of a mask. */
export interface IdTensor {
  readonly name: string;
  readonly datatype: IntegerType;
  readonly shape: readonly number[];
  readonly data: Int32Array | BigInt64Array;
}

/** A tensor of texts. */
export interface TextTensor {
  readonly name: string;
  readonly datatype: "BYTES";
  readonly shape: readonly number[];
  readonly data: readonly string[];
}

export type InputTensor = IdTensor | TextTensor;

/** A tensor that a model computes. Its bytes are those of `data`, little-endian. */
export interface OutputTensor {
  readonly name: string;
  readonly datatype: "FP32" | "INT32";
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/** A tensor of a request without its elements. */
export interface TensorHead {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly unknown[];
}

const MAX_AXES = 8;
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const BYTES_PER = { INT32: 4, INT64: 8 } as const;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Bytes before each text: its length. */
const LENGTH_BYTES = 4;

/** Checks the shape. Returns the number of elements. Throws ERR_INVALID_ARGUMENT. */
function elementsOf({ name, shape }: TensorHead): { readonly shape: readonly number[]; readonly count: number } {
  if (shape.length === 0 || shape.length > MAX_AXES)
    throw expected(`1 to ${MAX_AXES} axes`, `the shape of ${name}`, shape);
  let count = 1;
  const checked = shape.map((length) => {
    if (typeof length !== "number" || !Number.isInteger(length) || length < 1) {
      throw expected("positive integers", `the shape of ${name}`, shape);
    }
    count *= length;
    return length;
  });
  if (count > INT32_MAX) throw expected(`at most ${INT32_MAX} elements`, `the shape of ${name}`, shape);
  return { shape: checked, count };
}

const isIntegerType = (datatype: string): datatype is IntegerType => INTEGER_TYPES.some((known) => known === datatype);

const wrongType = ({ name, datatype }: TensorHead) =>
  expected("INT64, INT32 or BYTES", `the datatype of ${name}`, datatype);

/** A tensor from its little-endian bytes. Throws ERR_INVALID_ARGUMENT. */
export function tensorFromBytes(head: TensorHead, bytes: Uint8Array): InputTensor {
  const { name, datatype } = head;
  const { shape, count } = elementsOf(head);
  if (datatype === "BYTES") return { name, datatype, shape, data: textsFromBytes(name, bytes, count) };
  if (!isIntegerType(datatype)) throw wrongType(head);
  if (bytes.length !== count * BYTES_PER[datatype]) {
    throw expected(`${count * BYTES_PER[datatype]} bytes, as its shape has,`, name, bytes.length);
  }
  // A copy, because elements have to be aligned.
  const buffer = new Uint8Array(bytes).buffer;
  return { name, datatype, shape, data: datatype === "INT32" ? new Int32Array(buffer) : new BigInt64Array(buffer) };
}

function textsFromBytes(name: string, bytes: Uint8Array, count: number): readonly string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts: string[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const left = bytes.length - offset - LENGTH_BYTES;
    const length = left < 0 ? Number.POSITIVE_INFINITY : view.getUint32(offset, true);
    if (length > left) throw expected("the whole of each element", name, `${bytes.length} bytes`);
    offset += LENGTH_BYTES;
    texts.push(decodeText(bytes.subarray(offset, offset + length), name));
    offset += length;
    if (texts.length > count) break;
  }
  if (texts.length !== count) throw expected(`${count} elements, as its shape has,`, name, texts.length);
  return texts;
}

/** The text of UTF-8. Throws ERR_INVALID_ARGUMENT for other bytes. */
export function decodeText(bytes: Uint8Array, name: string): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw expected("UTF-8", name, "other bytes");
  }
}

/** A tensor from the elements of JSON, which may be nested as its shape is. Throws ERR_INVALID_ARGUMENT. */
export function tensorFromValues(head: TensorHead, values: readonly unknown[]): InputTensor {
  const { name, datatype } = head;
  const { shape, count } = elementsOf(head);
  const flat = flatten(values, shape.length);
  if (flat.length !== count) throw expected(`${count} elements, as its shape has,`, name, flat.length);
  if (datatype === "BYTES") {
    return { name, datatype, shape, data: flat.map((value) => checkText(value, name)) };
  }
  if (!isIntegerType(datatype)) throw wrongType(head);
  return { name, datatype, shape, data: Int32Array.from(flat, (value) => checkId(value, name)) };
}

function flatten(values: readonly unknown[], axes: number): readonly unknown[] {
  return values.some(Array.isArray) ? values.flat(axes - 1) : values;
}

function checkText(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw expected("strings", name, value);
}

function checkId(value: unknown, name: string): number {
  if (typeof value !== "number" || !Number.isInteger(value)) throw expected("integers", name, value);
  if (value >= INT32_MIN && value <= INT32_MAX) return value;
  throw expected("ids of the vocabulary", name, value, "ERR_TOKEN_OUT_OF_RANGE");
}

/** A copy of the bytes of a tensor. */
export function bytesOf({ data }: OutputTensor): Buffer {
  return Buffer.from(data.slice().buffer);
}
