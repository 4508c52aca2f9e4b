// What a group of tests is about: one model, loaded here in a precision and by Hugging Face in the reference.
import { demoModel, type Precision, type T5ForConditionalGeneration } from "torch-t5";
import type { Reference } from "../../support/reference.js";
import { FAMILIES, load, makeFamily, openExported, type Prepared } from "../models.js";

export const EMBEDDED = "the embedded model";
export const NAMES = [...FAMILIES, EMBEDDED] as const;
export type Name = (typeof NAMES)[number];

/** Getters, since a test is defined before its model is there. */
export interface Subject {
  readonly name: Name;
  readonly threads: number;
  reference(): Reference;
  t5(): T5ForConditionalGeneration;
  prepared(): Prepared;
}

/** The models of one reference, each made once. */
export class Models {
  readonly #reference: Reference;
  readonly #made = new Map<Name, Promise<Prepared>>();

  constructor(reference: Reference) {
    this.#reference = reference;
  }

  prepare(name: Name): Promise<Prepared> {
    const found = this.#made.get(name);
    if (found !== undefined) return found;
    const reference = this.#reference;
    const made = name === EMBEDDED ? openExported(reference, name, demoModel) : makeFamily(reference, name);
    this.#made.set(name, made);
    return made;
  }
}

/** Defines the loading and the freeing of a model around the tests of a group. */
export function useSubject(
  name: Name,
  precision: Precision,
  threads: number,
  shared: () => { readonly reference: Reference; readonly models: Models },
): Subject {
  let t5: T5ForConditionalGeneration | undefined;
  let prepared: Prepared | undefined;
  const there = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error("The model is loaded before the tests of its group");
    return value;
  };

  before(async function () {
    this.timeout(300_000);
    prepared = await shared().models.prepare(name);
    t5 = await load(prepared.directory, threads, precision);
  });

  after(() => t5?.dispose());

  return { name, threads, reference: () => shared().reference, t5: () => there(t5), prepared: () => there(prepared) };
}
