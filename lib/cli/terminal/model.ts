// The model that a command runs: its flags, and loading and freeing it.
import {
  type Device,
  demoModel,
  type LoadOptions,
  PRECISIONS,
  type Precision,
  type T5EncoderModel,
} from "../../index.js";
import { choiceOption, integerOption } from "./arguments.js";
import { withDownloadBar } from "./download.js";

/** The flags of commands that load a model, for `parse`. */
export const modelOptions = {
  model: { type: "string" },
  revision: { type: "string" },
  device: { type: "string" },
  precision: { type: "string" },
  threads: { type: "string" },
} as const;

export const precisionHelp =
  "  --precision <name>    exact (default), float32 (default of a Hugging Face directory), bfloat16 or int8";

export const modelOptionsHelp = `  --model <model>       an export or a Hugging Face directory, or a name on the hub (default: the embedded one)
  --revision <name>     a branch, tag or commit of a model on the hub (default: main)
  --device <device>     auto, cpu, cuda or cuda:<number> (default: auto)
${precisionHelp}
  --threads <count>     threads per operator (default: PyTorch's, or the CPU quota)`;

interface LoadValues {
  readonly device?: string | undefined;
  readonly precision?: string | undefined;
  readonly threads?: string | undefined;
}

/** The values of `modelOptions` on a command line. */
export interface ModelValues extends LoadValues {
  readonly model?: string | undefined;
  readonly revision?: string | undefined;
}

/** The options of `fromPretrained` that a command line gives. */
interface CommandLineLoadOptions {
  readonly device: Device | undefined;
  readonly precision: Precision | undefined;
  readonly intraOpThreads: number | undefined;
}

/** The options of `fromPretrained` that a command line gives. Throws UsageError. */
export function loadOptions({ device, precision, threads }: LoadValues): CommandLineLoadOptions {
  return {
    // Any string: the library checks it.
    device: device as Device | undefined,
    precision: choiceOption(precision, "precision", PRECISIONS),
    intraOpThreads: integerOption(threads, "threads", 1),
  };
}

/** A class of models. */
export interface ModelClass<Model> {
  fromPretrained(directory: string, options: LoadOptions): Promise<Model>;
}

/** What every class of models has. */
type AnyModel = Pick<T5EncoderModel, "tokenizer" | "dispose">;

/**
 * Loads the model that a command line names, runs `use` on it, and frees it even if `use` rejects. Rejects where the
 * model has no tokenizer.
 */
export async function withModel<Model extends AnyModel, Result>(
  modelClass: ModelClass<Model>,
  values: ModelValues,
  use: (t5: Model) => Promise<Result>,
): Promise<Result> {
  const { model = demoModel, revision } = values;
  const t5 = await withDownloadBar((progress) =>
    modelClass.fromPretrained(model, { ...loadOptions(values), revision, progress }),
  );
  try {
    if (t5.tokenizer === undefined) {
      throw new Error(`Expected a model with a tokenizer for --model but received ${JSON.stringify(model)}`);
    }
    return await use(t5);
  } finally {
    await t5.dispose();
  }
}
