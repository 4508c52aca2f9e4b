// The model that a group of tests is about, on both sides: loaded here, and by Hugging Face in the reference. All spec
// files of a run share one reference process and its models, because Python takes seconds to import torch and
// transformers.
import { demoModel, type Precision, type T5ForConditionalGeneration } from "torch-t5";
import { Reference } from "../support/reference.js";
import {
  EMBEDDED,
  type FAMILIES,
  load,
  makeFamily,
  type Name,
  openExported,
  type Prepared,
  type PreparedFamily,
} from "./models.js";

const PREPARATION_MS = 300_000;

/** The members are functions because tests are defined before their model is loaded. */
export interface Subject {
  readonly name: Name;
  readonly threads: number;
  reference(): Reference;
  t5(): T5ForConditionalGeneration;
  prepared(): Prepared;
  /** Sends a request about this model to the reference. */
  ask<Reply>(operation: string, fields: object): Promise<Reply>;
}

let reference: Reference | undefined;
let embedded: Promise<Prepared> | undefined;
const families = new Map<string, Promise<PreparedFamily>>();

/**
 * Loads a model before the tests of a suite, and frees it after them. The reference loads it once for the whole run.
 */
export function useSubject(name: Name, precision: Precision, threads: number): Subject {
  let t5: T5ForConditionalGeneration | undefined;
  let prepared: Prepared | undefined;

  before(async function () {
    this.timeout(PREPARATION_MS);
    prepared = await prepare(name);
    t5 = await load(prepared.directory, threads, precision);
  });

  after(() => t5?.dispose());

  return {
    name,
    threads,
    reference: sharedReference,
    t5: () => loaded(t5),
    prepared: () => loaded(prepared),
    ask: (operation, fields) => sharedReference().request(operation, { model: name, threads, ...fields }),
  };
}

/** "with 2 threads", in the title of a suite. */
export function describeThreads(threads: number): string {
  return `with ${threads} ${threads === 1 ? "thread" : "threads"}`;
}

/** The reference process of the run. */
export function sharedReference(): Reference {
  reference ??= new Reference();
  return reference;
}

/** Makes a family's model once for the whole run. */
export function prepareFamily(family: (typeof FAMILIES)[number]): Promise<PreparedFamily> {
  const made = families.get(family) ?? makeFamily(sharedReference(), family);
  families.set(family, made);
  return made;
}

function prepare(name: Name): Promise<Prepared> {
  if (name !== EMBEDDED) return prepareFamily(name);
  embedded ??= openExported(sharedReference(), name, demoModel);
  return embedded;
}

function loaded<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("The model is loaded before the tests of its suite");
  return value;
}

// A hook of the whole run: it is outside every suite.
after(() => reference?.close());
