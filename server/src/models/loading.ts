// Loads a model with the class of its export.
import {
  type LoadOptions,
  readManifest,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from "torch-t5";
import type { ModelSettings } from "../config/schema.js";
import { exportedModel } from "./hub.js";

/** A loaded model, by what it computes. */
export type LoadedModel =
  | { readonly kind: "generation"; readonly t5: T5ForConditionalGeneration }
  | { readonly kind: "encoder"; readonly t5: T5EncoderModel }
  | { readonly kind: "sequenceClassification"; readonly t5: T5ForSequenceClassification }
  | { readonly kind: "tokenClassification"; readonly t5: T5ForTokenClassification };

export type ModelKind = LoadedModel["kind"];

const DEFAULT_QUEUE_LENGTH = 256;

/** Loads the model of some settings. The signal ends an export. Rejects as `fromPretrained` does. */
export async function loadModel(settings: ModelSettings, signal: AbortSignal): Promise<LoadedModel> {
  const path = settings.path ?? (await exportedModel(settings.hub ?? "", signal));
  const { architecture } = await readManifest(path);
  const options = loadOptions(settings);
  if (architecture.endsWith("EncoderModel")) {
    return { kind: "encoder", t5: await T5EncoderModel.fromPretrained(path, options) };
  }
  if (architecture.endsWith("ForSequenceClassification")) {
    return { kind: "sequenceClassification", t5: await T5ForSequenceClassification.fromPretrained(path, options) };
  }
  if (architecture.endsWith("ForTokenClassification")) {
    return { kind: "tokenClassification", t5: await T5ForTokenClassification.fromPretrained(path, options) };
  }
  return { kind: "generation", t5: await T5ForConditionalGeneration.fromPretrained(path, options) };
}

function loadOptions({ name, path, hub, ...options }: ModelSettings): LoadOptions {
  return { precision: "float32", device: "auto", maxQueueLength: DEFAULT_QUEUE_LENGTH, ...options } as LoadOptions;
}
