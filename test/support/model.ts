// The embedded model, loaded once for a suite.
import { after, before } from "mocha";
import { demoModel, type LoadOptions, type Precision, T5ForConditionalGeneration } from "torch-t5";

/** All precisions, for tests that hold in each. */
export const PRECISIONS: readonly Precision[] = ["exact", "float32", "bfloat16", "int8"];

/**
 * Loads the embedded model before the tests of a suite and disposes it after them. The returned function gives the
 * model.
 */
export function useModel(options: LoadOptions = {}): () => T5ForConditionalGeneration {
  let model: T5ForConditionalGeneration | undefined;
  before(async () => {
    model = await T5ForConditionalGeneration.fromPretrained(demoModel, {
      device: "cpu",
      intraOpThreads: 1,
      ...options,
    });
  });
  after(() => model?.dispose());
  return () => {
    if (model === undefined) throw new Error("The model is loaded before the tests of its suite");
    return model;
  };
}
