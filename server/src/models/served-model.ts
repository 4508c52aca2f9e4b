// A model of the configuration: its name, and the model itself once it is loaded.
import type { ModelSettings } from "../config/schema.js";
import { ServerError } from "../errors/server-error.js";
import { type LoadedModel, loadModel } from "./loading.js";

/** The version of every model: a server has one of each. */
export const MODEL_VERSION = "1";

/** A model that the server loads, serves and frees. */
export class ServedModel {
  readonly settings: ModelSettings;
  #loaded: LoadedModel | undefined;

  constructor(settings: ModelSettings) {
    this.settings = settings;
  }

  get name(): string {
    return this.settings.name;
  }

  get isReady(): boolean {
    return this.#loaded !== undefined;
  }

  /** The model. Throws ERR_NOT_READY. */
  get loaded(): LoadedModel {
    if (this.#loaded !== undefined) return this.#loaded;
    throw new ServerError("ERR_NOT_READY", `Expected a loaded model but ${this.name} is not loaded`);
  }

  /** Rejects as `fromPretrained` does. */
  async load(signal: AbortSignal): Promise<void> {
    this.#loaded = await loadModel(this.settings, signal);
  }

  /** Frees the model. The calls that still run end with ERR_DISPOSED. */
  async dispose(): Promise<void> {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    await loaded?.t5.dispose({ drain: false });
  }
}
