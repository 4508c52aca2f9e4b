// All models of a server, found by name or by what they compute.
import type { ModelKind } from "torch-t5";
import type { ModelSettings } from "../config/schema.js";
import { expected, ServerError } from "../errors/server-error.js";
import type { LoadedModel } from "./loading.js";
import { MODEL_VERSION, ServedModel } from "./served-model.js";

/** A model of some kinds, with its name. */
export type ModelOf<Kind extends ModelKind> = Extract<LoadedModel, { readonly kind: Kind }> & { readonly name: string };

const KIND_NAMES: Readonly<Record<ModelKind, string>> = {
  generation: "one that generates",
  encoder: "an encoder",
  sequenceClassification: "a classifier of texts",
  tokenClassification: "a classifier of tokens",
};

/** The models in the order of the configuration. */
export class ModelRegistry {
  readonly all: readonly ServedModel[];

  constructor(settings: readonly ModelSettings[]) {
    this.all = settings.map((each) => new ServedModel(each));
  }

  /** Whether every model is loaded. */
  get isReady(): boolean {
    return this.all.every(({ isReady }) => isReady);
  }

  /** Throws ERR_NOT_FOUND. An empty version is any. */
  find(name: string, version = ""): ServedModel {
    const model = this.all.find((candidate) => candidate.name === name);
    if (model === undefined) {
      const names = this.all.map((candidate) => candidate.name).join(", ");
      throw expected(`the name of a model (${names})`, "model", name, "ERR_NOT_FOUND");
    }
    if (version !== "" && version !== MODEL_VERSION) {
      throw expected(`version ${MODEL_VERSION}`, `the version of ${name}`, version, "ERR_NOT_FOUND");
    }
    return model;
  }

  /**
   * The loaded model of a name, or without a name the first model of one of the kinds. Throws ERR_NOT_FOUND,
   * ERR_NOT_READY, and ERR_INVALID_ARGUMENT for a model of another kind.
   */
  ofKind<const Kind extends ModelKind>(kinds: readonly Kind[], name?: string): ModelOf<Kind> {
    const wanted = kinds.map((kind) => KIND_NAMES[kind]).join(" or ");
    if (name !== undefined) {
      const { loaded } = this.find(name);
      if (isOfKind(loaded, kinds)) return { ...loaded, name };
      throw expected(`a model that is ${wanted}`, "model", name);
    }
    // A model that is not loaded yet may be of the kind, so that no later one answers in its place.
    for (const { loaded, name } of this.all) {
      if (isOfKind(loaded, kinds)) return { ...loaded, name };
    }
    throw new ServerError("ERR_NOT_FOUND", `Expected a model that is ${wanted} but this server has none`);
  }

  /** Loads the models one after the other, until the signal aborts. Rejects with its reason, and as `fromPretrained`. */
  async load(signal: AbortSignal): Promise<void> {
    for (const model of this.all) {
      await model.load(signal);
      signal.throwIfAborted();
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.all.map((model) => model.dispose()));
  }
}

function isOfKind<Kind extends ModelKind>(
  loaded: LoadedModel,
  kinds: readonly Kind[],
): loaded is Extract<LoadedModel, { readonly kind: Kind }> {
  return kinds.some((kind) => kind === loaded.kind);
}
