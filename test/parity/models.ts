// The models of the parity tests: a random-weight one per family, and the embedded one.
import { type Precision, T5ForConditionalGeneration } from "torch-t5";
import { testDevice } from "../support/device.js";
import type { Reference } from "../support/reference.js";

/** Names in test/parity/reference/families.py. */
export const FAMILIES = ["t5", "t5-v1.1", "mt5", "umt5", "byt5", "gated-silu", "wide", "umt5-tied"] as const;

/** A model on both sides. */
export interface Prepared {
  readonly directory: string;
  readonly vocabSize: number;
}

const SEED = 11;

/** Writes a family's random checkpoint, exports it and loads the original in the reference. */
export function makeFamily(reference: Reference, family: string): Promise<Prepared> {
  return reference.request<Prepared>("make", { family, seed: SEED });
}

/** Loads an exported directory in the reference, under a name. */
export function openExported(reference: Reference, name: string, directory: string): Promise<Prepared> {
  return reference.request<Prepared>("open", { name, directory });
}

/** Loads an exported directory here, on the device of the tests. */
export function load(
  directory: string,
  intraOpThreads: number,
  precision: Precision = "exact",
): Promise<T5ForConditionalGeneration> {
  return T5ForConditionalGeneration.fromPretrained(directory, { device: testDevice, intraOpThreads, precision });
}
