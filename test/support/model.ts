// The embedded model, loaded once for a test file.
import { after, before } from "mocha";
import { demoModel, type LoadOptions, T5ForConditionalGeneration } from "torch-t5";

/** Loads the embedded model before the tests of a suite and disposes it after them; the function returns it. */
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
    if (model === undefined)
      throw new Error("The model is loaded before the tests of the suite, not while it is defined");
    return model;
  };
}
