// The models of the parity tests: one with random weights for each family, and the embedded model.
import { env } from "node:process";
import { type Device, type LoadOptions, type Precision, T5ForConditionalGeneration } from "torch-t5";
import type { Reference } from "../support/reference.js";

/** Names in test/parity/reference/families.py. */
export const FAMILIES = ["t5", "t5-v1.1", "mt5", "umt5", "byt5", "gated-silu", "wide", "umt5-tied"] as const;
export const EMBEDDED = "the embedded model";
export const NAMES = [...FAMILIES, EMBEDDED] as const;
export type Name = (typeof NAMES)[number];

/** The CPU, unless `TORCH_T5_TEST_DEVICE` names another device. The reference reads the same variable. */
export const testDevice = (env.TORCH_T5_TEST_DEVICE ?? "cpu") as Device;

/** Those of `precisions` that the device of the tests has. */
export const onTestDevice = (precisions: readonly Precision[]): readonly Precision[] =>
  precisions.filter((precision) => testDevice === "cpu" || precision !== "int8");

/** Of the weights of every family. */
export const SEED = 11;

/** A model that both sides can use. */
export interface Prepared {
  /** The export. */
  readonly directory: string;
  readonly vocabSize: number;
}

/** A family's model, and the Hugging Face directory that was exported. */
export interface PreparedFamily extends Prepared {
  readonly checkpoint: string;
}

/** Makes the reference write a family's random checkpoint, export it, and load the original. */
export function makeFamily(reference: Reference, family: string): Promise<PreparedFamily> {
  return reference.request<PreparedFamily>("make", { family, seed: SEED });
}

/** Makes the reference load an exported directory under a name. */
export function openExported(reference: Reference, name: string, directory: string): Promise<Prepared> {
  return reference.request<Prepared>("open", { name, directory });
}

/** Loads an exported directory here, on the device of the tests. */
export function load(
  directory: string,
  intraOpThreads: number,
  precision: Precision = "exact",
  options: LoadOptions = {},
): Promise<T5ForConditionalGeneration> {
  const given = { device: testDevice, intraOpThreads, precision, ...options };
  return T5ForConditionalGeneration.fromPretrained(directory, given);
}
