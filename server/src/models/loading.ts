// Loads a model with the class of its kind.
import {
  downloadModel,
  type LoadOptions,
  type ModelKind,
  readModelKind,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from "torch-t5";
import type { ModelSettings } from "../config/schema.js";

/** A loaded model, by what it computes. */
export type LoadedModel =
  | { readonly kind: "generation"; readonly t5: T5ForConditionalGeneration }
  | { readonly kind: "encoder"; readonly t5: T5EncoderModel }
  | { readonly kind: "sequenceClassification"; readonly t5: T5ForSequenceClassification }
  | { readonly kind: "tokenClassification"; readonly t5: T5ForTokenClassification };

const DEFAULT_QUEUE_LENGTH = 256;

/** How each kind is loaded. */
const LOAD: Readonly<Record<ModelKind, (path: string, options: LoadOptions) => Promise<LoadedModel>>> = {
  generation: async (path, options) => ({
    kind: "generation",
    t5: await T5ForConditionalGeneration.fromPretrained(path, options),
  }),
  encoder: async (path, options) => ({ kind: "encoder", t5: await T5EncoderModel.fromPretrained(path, options) }),
  sequenceClassification: async (path, options) => ({
    kind: "sequenceClassification",
    t5: await T5ForSequenceClassification.fromPretrained(path, options),
  }),
  tokenClassification: async (path, options) => ({
    kind: "tokenClassification",
    t5: await T5ForTokenClassification.fromPretrained(path, options),
  }),
};

/**
 * Loads the model of some settings, downloading what the cache lacks of one on the hub. The signal ends that. Rejects with
 * its reason, and as `downloadModel` and `fromPretrained` do.
 */
export async function loadModel(settings: ModelSettings, signal: AbortSignal): Promise<LoadedModel> {
  const { name, path, hub, revision, ...options } = settings;
  const directory = path ?? (await downloadModel(hub ?? "", { signal, ...(revision !== undefined && { revision }) }));
  const load = LOAD[await readModelKind(directory)];
  const given = { precision: "float32", device: "auto", maxQueueLength: DEFAULT_QUEUE_LENGTH, ...options, signal };
  return load(directory, given as LoadOptions);
}
