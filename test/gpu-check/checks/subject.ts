// A model on both sides: Hugging Face's in the reference, and torch-t5's on the device of the tests.
import { join } from "node:path";
import { demoModel, type T5ForConditionalGeneration } from "torch-t5";
import { makeCase, type Shape } from "../../parity/cases.js";
import { load, openExported } from "../../parity/models.js";
import { Reference } from "../../support/reference.js";
import type { Settings } from "./settings.js";

/** The name of the embedded model. */
export const EMBEDDED = "demo";
/** Numbers of rows on both sides of powers of two, for which kernels and graphs are chosen. */
export const ROW_COUNTS: readonly number[] = [1, 2, 3, 5, 8, 9, 16, 17, 33, 64, 65];
/** CPU threads on each side. */
export const THREADS = 2;

export interface Subject {
  readonly name: string;
  readonly reference: Reference;
  readonly t5: T5ForConditionalGeneration;
  readonly vocabSize: number;
  /** Whether each row is a call of its own, at the same time as the others. */
  readonly batching: boolean;
}

/** The directory of a model's export. */
export function directoryOf(name: string, { directory }: Pick<Settings, "directory">): string {
  return name === EMBEDDED ? demoModel : join(directory, `${name}-exported`);
}

/** Every model in turn: loaded before it is yielded, freed afterwards. The reference ends with the last model. */
export async function* eachSubject(settings: Settings): AsyncIterable<Subject> {
  const reference = new Reference();
  try {
    for (const name of settings.models) {
      const { directory, vocabSize } = await openExported(reference, name, directoryOf(name, settings));
      await using t5 = await load(directory, THREADS, settings.precision, { batching: settings.batching });
      yield { name, reference, t5, vocabSize, batching: settings.batching === true };
    }
  } finally {
    await reference.close();
  }
}

/** The source of a case, and the ids that its decoder reads. */
export function inputsOf({ vocabSize }: Pick<Subject, "vocabSize">, shape: Shape) {
  const { labels: _, decoderInputIds, ...source } = makeCase(shape, vocabSize);
  return { source, decoderInputIds };
}
