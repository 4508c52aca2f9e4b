// The model of a command: loaded for the command's work, and freed after it whatever happens.
import { demoModel, T5ForConditionalGeneration } from "../../index.js";
import { type LoadValues, loadOptions } from "./command.js";

/** What `modelOptions` leave in the values of a command line. */
export interface ModelValues extends LoadValues {
  readonly model?: string | undefined;
}

/** Loads the model that a command line names, runs `use` on it, and frees it. Rejects where it can't read text. */
export async function withModel<Result>(
  values: ModelValues,
  use: (t5: T5ForConditionalGeneration) => Promise<Result>,
): Promise<Result> {
  const directory = values.model ?? demoModel;
  const t5 = await T5ForConditionalGeneration.fromPretrained(directory, loadOptions(values));
  try {
    if (t5.tokenizer === undefined) {
      throw new Error(`Expected a model with a tokenizer for --model but received ${JSON.stringify(directory)}`);
    }
    return await use(t5);
  } finally {
    await t5.dispose();
  }
}
