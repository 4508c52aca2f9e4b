// What the public classes share: loading an exported directory, the properties of a loaded model, and freeing it.
import { disposed, guarded, ModelHandle } from "../calls/call.js";
import { type ModelStats, stats } from "../calls/stats.js";
import { unlessAborted } from "../hub/aborting.js";
import { locateModel } from "../hub/locate.js";
import { type CheckedHubOptions, checkHubOptions, HUB_OPTIONS, type HubOptions } from "../hub/options.js";
import { selectModel } from "../hub/selection.js";
import type { ModelKind } from "../loading/architectures.js";
import type { T5Config } from "../loading/config.js";
import type { Labels } from "../loading/labels.js";
import {
  type CheckedLoadOptions,
  checkLoadOptions,
  type LoadedModel,
  loadModel,
  type Precision,
} from "../loading/load.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { readOptions } from "../util/call-options.js";
import { type CallSite, captureCallSite, errorFor } from "../util/errors.js";
import { checkFlag, checkOptions, isRecord, readPath } from "../util/validation.js";

/** The configuration of a model that classifies. */
export interface ClassifierConfig extends T5Config, Labels {}

/** The options of `dispose`. */
export interface DisposeOptions {
  /** Whether the calls made so far are waited for. Default: true. */
  readonly drain?: boolean | undefined;
}

/** The handle that the calls of a model use from now on; `reload` replaces it. */
export let handleOf: (model: LoadedT5) => ModelHandle;

/** What the model was made of. */
export let partsOf: (model: LoadedT5) => LoadedModel;

/** The properties of a class that follow from what a model was made of. */
type PropertiesOf<Config> = (parts: LoadedModel) => { readonly config: Config };

/** A model in memory, whichever its class. */
export abstract class LoadedT5<Config extends T5Config = T5Config> {
  // Not initialized here: `#showParts` sets the properties, those of subclasses as well.
  /** The configuration in config.json. */
  declare readonly config: Config;
  /** Undefined for a model without a tokenizer, or with one that torch-t5 can't carry out: it takes ids only. */
  declare readonly tokenizer: T5Tokenizer | undefined;
  /** The device that the model runs on: "cpu", "cuda:0". */
  declare readonly device: string;
  /** The precision that the model computes with. */
  declare readonly precision: Precision;
  readonly #propertiesOf: PropertiesOf<Config>;
  #parts: LoadedModel;
  #handle: ModelHandle;

  static {
    handleOf = (model) => model.#handle;
    partsOf = (model) => model.#parts;
  }

  protected constructor(parts: LoadedModel, propertiesOf: PropertiesOf<Config>) {
    this.#propertiesOf = propertiesOf;
    this.#parts = parts;
    this.#handle = new ModelHandle(parts);
    this.#showParts();
  }

  /**
   * Replaces the model by another of the same class, with the precision and the options that this one was loaded with: a
   * fine-tuned checkpoint, or the next version. Both are in memory until it is loaded; no call fails or waits. Calls that
   * were made before are answered by the old model, as are sessions, encoder outputs, streams and heads that were made
   * before; it is freed when the last of them has ended, or is garbage. Calls made after it resolves are answered by the
   * new one.
   *
   * Rejects as `fromPretrained` does, and with ERR_DISPOSED; the model then stays as it was. Of several at the same time,
   * the one that ends last counts.
   */
  async reload(directory: string | URL, options?: HubOptions): Promise<void> {
    const site = captureCallSite(this.reload);
    const disposedError = () => errorFor(disposed("a model in use", "reload"), site);
    if (this.#handle.isDisposed) throw disposedError();
    const source = guarded(site, () => readSource(directory, checkOptions(options, "options", HUB_OPTIONS)));
    const { kind, options: loadOptions, precision } = this.#parts;
    const parts = await locateAndLoad(source, kind, { ...loadOptions, precision }, site);
    if (this.#handle.isDisposed) {
      await parts.native.dispose();
      throw disposedError();
    }
    const old = this.#handle;
    this.#parts = parts;
    this.#handle = new ModelHandle(parts);
    this.#showParts();
    old.holds.whenUnused(() => void old.free());
  }

  /** What the model is doing now. Of a disposed model, the numbers are those at its end. */
  stats(): ModelStats {
    return stats(this.#handle);
  }

  /**
   * Waits for the calls made so far, or with `drain: false` ends them with ERR_DISPOSED, then frees the model. Later
   * calls reject with ERR_DISPOSED. Idempotent. Rejects with ERR_INVALID_ARGUMENT for other options, and then does
   * nothing.
   */
  async dispose(options?: DisposeOptions): Promise<void> {
    const { drain = true } = readDisposeOptions(options);
    const handle = this.#handle;
    const { native, preparing } = handle;
    handle.isDisposed = true;
    if (!drain) native.abort();
    await new Promise<void>((resolve) =>
      preparing.after(() => {
        if (!drain) native.abort();
        resolve(handle.free());
      }),
    );
  }

  #showParts(): void {
    const { tokenizer, native, precision } = this.#parts;
    Object.assign(this, { tokenizer, device: native.device, precision }, this.#propertiesOf(this.#parts));
  }

  /** The same as `dispose()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

function readDisposeOptions(options: unknown): { readonly drain: boolean } {
  const { drain = true } = readOptions(options, ["drain"]);
  return { drain: checkFlag(drain, "options.drain") };
}

/** Where a model is. */
interface Source {
  readonly path: string;
  readonly hub: CheckedHubOptions;
}

/**
 * Loads a directory, or a name on the hub, as a model of a kind, which `open` makes of its parts. Errors have the stack
 * of the caller of `method`, so this must run in `method` itself. Rejects with the signal's reason as soon as the signal
 * aborts, and then frees what is still being loaded.
 */
export async function load<Model>(
  kind: ModelKind,
  directory: unknown,
  options: unknown,
  open: (parts: LoadedModel) => Model,
  method: (...args: never[]) => unknown,
): Promise<Model> {
  const site = captureCallSite(method);
  const checked = guarded(site, () => checkLoadOptions(options));
  const source = guarded(site, () => readSource(directory, isRecord(options) ? options : {}));
  return open(await locateAndLoad(source, kind, checked, site));
}

function readSource(directory: unknown, options: Readonly<Record<string, unknown>>): Source {
  return { path: readPath(directory, "directory"), hub: checkHubOptions(options) };
}

async function locateAndLoad(
  { path, hub }: Source,
  kind: ModelKind,
  options: CheckedLoadOptions,
  site: CallSite,
): Promise<LoadedModel> {
  const found = await locateModel(path, hub, selectModel, site);
  const loading = loadModel(found, kind, options, path);
  const loaded = loading.catch((thrown: unknown) => {
    throw errorFor(thrown, site);
  });
  return unlessAborted(hub.signal, loaded, () => {
    loading.then(
      ({ native }) => native.dispose(),
      () => {},
    );
  });
}
