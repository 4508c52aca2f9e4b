// Exported classifiers with random weights, made once before the tests of a suite.
import { after, before } from "mocha";
import { demoModel } from "torch-t5";
import { Reference } from "./reference.js";

/** Names in test/parity/reference/classifiers.py. */
export const CLASSIFIER_FORMS = [
  "texts",
  "two texts labels",
  "topics",
  "single label",
  "regression",
  "tokens",
] as const;
export type ClassifierForm = (typeof CLASSIFIER_FORMS)[number];

export interface MadeClassifier {
  /** The export. */
  readonly directory: string;
  /** What was exported. */
  readonly checkpoint: string;
  readonly vocabSize: number;
}

const SEED = 11;
const PREPARATION_MS = 300_000;

/** Makes the reference write a family's classifier of one form, with the tokenizer of the embedded model, and export it. */
export function makeClassifier(reference: Reference, family: string, form: ClassifierForm): Promise<MadeClassifier> {
  return reference.request<MadeClassifier>("makeClassifier", { family, form, seed: SEED, tokenizer: demoModel });
}

/** Classifiers of the family "t5" for a suite. The returned function gives those of a form. */
export function useClassifiers(...forms: readonly ClassifierForm[]): (form: ClassifierForm) => MadeClassifier {
  const classifiers = new Map<ClassifierForm, MadeClassifier>();
  let reference: Reference | undefined;
  before(async function () {
    this.timeout(PREPARATION_MS);
    reference = new Reference();
    for (const form of forms) classifiers.set(form, await makeClassifier(reference, "t5", form));
  });
  after(() => reference?.close());
  return (form) => {
    const made = classifiers.get(form);
    if (made === undefined) throw new Error("A classifier is made before the tests of its suite");
    return made;
  };
}
