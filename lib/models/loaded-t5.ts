// What the public classes share: loading an exported directory, the properties of a loaded model, and freeing it.
import { guarded, type ModelHandle } from "../calls/call.js";
import { type ModelStats, stats } from "../calls/stats.js";
import { unlessAborted } from "../hub/aborting.js";
import { locateModel } from "../hub/locate.js";
import { checkHubOptions } from "../hub/options.js";
import { selectModel } from "../hub/selection.js";
import type { ModelKind } from "../loading/architectures.js";
import type { T5Config } from "../loading/config.js";
import type { Labels } from "../loading/labels.js";
import { checkLoadOptions, type LoadedModel, loadModel, type Precision } from "../loading/load.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { readOptions } from "../util/call-options.js";
import { captureCallSite, errorFor } from "../util/errors.js";
import { checkFlag, isRecord, readPath } from "../util/validation.js";

/** The configuration of a model that classifies. */
export interface ClassifierConfig extends T5Config, Labels {}

/** The options of `dispose`. */
export interface DisposeOptions {
  /** Whether the calls made so far are waited for. Default: true. */
  readonly drain?: boolean | undefined;
}

/** A model in memory, whichever its class. */
export abstract class LoadedT5<Config extends T5Config = T5Config> {
  /** The configuration in config.json. */
  readonly config: Config;
  /** Undefined for a model that was exported without its tokenizer, which takes ids only. */
  readonly tokenizer: T5Tokenizer | undefined;
  /** The device that the model runs on: "cpu", "cuda:0". */
  readonly device: string;
  /** The precision that the model computes with. */
  readonly precision: Precision;
  readonly #handle: ModelHandle;

  protected constructor({ tokenizer, precision, native }: LoadedModel, handle: ModelHandle, config: Config) {
    this.config = config;
    this.tokenizer = tokenizer;
    this.device = native.device;
    this.precision = precision;
    this.#handle = handle;
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
    const { native, preparing } = this.#handle;
    this.#handle.isDisposed = true;
    if (!drain) native.abort();
    await new Promise<void>((resolve) =>
      preparing.after(() => {
        if (!drain) native.abort();
        resolve(native.dispose());
      }),
    );
    for (const layer of this.#handle.embedding?.layers ?? []) if (layer !== "normalize") layer.dispose();
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

/**
 * Loads a directory, or a name on the hub, as a model of a kind, which `open` makes of its parts. Errors have the stack
 * of the caller of `method`, so this must run in `method` itself. Rejects with the signal's reason as soon as the signal
 * aborts, and then frees what is still being loaded.
 */
export async function load<Model extends AsyncDisposable>(
  kind: ModelKind,
  directory: unknown,
  options: unknown,
  open: (loaded: LoadedModel) => Model,
  method: (...args: never[]) => unknown,
): Promise<Model> {
  const site = captureCallSite(method);
  const path = guarded(site, () => readPath(directory, "directory"));
  const checked = guarded(site, () => checkLoadOptions(options));
  const hub = guarded(site, () => checkHubOptions(isRecord(options) ? options : {}));
  const found = await locateModel(path, hub, selectModel, site);
  const loading = loadModel(found, kind, checked).then(open);
  const loaded = loading.catch((thrown: unknown) => {
    throw errorFor(thrown, site);
  });
  return unlessAborted(hub.signal, loaded, () => {
    loading.then(
      (model) => model[Symbol.asyncDispose](),
      () => {},
    );
  });
}
