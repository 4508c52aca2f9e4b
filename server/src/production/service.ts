// What all protocols serve: the models, with the requests that run, the keys and the metrics.
import type { CallContext } from "../calls/call.js";
import { RunningCalls } from "../calls/running-calls.js";
import type { ServerConfig } from "../config/schema.js";
import { ServerError } from "../errors/server-error.js";
import { ModelRegistry } from "../models/registry.js";
import { ApiKeys } from "./api-keys.js";
import { Metrics } from "./metrics.js";

/** The service behind HTTP and gRPC. */
export class Service {
  readonly config: ServerConfig;
  readonly models: ModelRegistry;
  readonly calls: RunningCalls;
  readonly keys: ApiKeys;
  readonly metrics: Metrics;
  readonly #stopping = new AbortController();

  private constructor(config: ServerConfig, keys: ApiKeys) {
    this.config = config;
    this.keys = keys;
    this.models = new ModelRegistry(config.models);
    this.calls = new RunningCalls(config.limits.seconds);
    this.metrics = new Metrics(this.models, () => this.calls.count);
  }

  /** A service whose models are not loaded yet, by default with the configured keys. Rejects with ERR_INVALID_ARGUMENT. */
  static async create(config: ServerConfig, keys?: ApiKeys): Promise<Service> {
    return new Service(config, keys ?? (await ApiKeys.read(config.apiKeysFile)));
  }

  /** Whether requests are answered: all models are loaded, and the server does not stop. */
  get isReady(): boolean {
    return this.models.isReady && !this.#stopping.signal.aborted;
  }

  /** Throws ERR_SHUTTING_DOWN. */
  checkAccepts(): void {
    this.#stopping.signal.throwIfAborted();
  }

  /** Loads the models. Rejects as `fromPretrained` does, and with ERR_SHUTTING_DOWN if the server stops before. */
  load(): Promise<void> {
    return this.models.load(this.#stopping.signal);
  }

  /** What a call of a request gets. */
  contextOf(signal: AbortSignal): CallContext {
    return { limits: this.config.limits, signal, countTokens: this.metrics.countTokens };
  }

  /**
   * Refuses new requests, and waits for those that run; those that still run after `seconds` end with ERR_SHUTTING_DOWN.
   * Resolves to whether all ended by themselves.
   */
  async drain(seconds: number): Promise<boolean> {
    const reason = "The server is shutting down and takes no new requests";
    this.#stopping.abort(new ServerError("ERR_SHUTTING_DOWN", reason));
    let isAborted = false;
    const timer = setTimeout(() => {
      isAborted = true;
      this.calls.abort();
    }, seconds * 1000);
    await this.calls.idle();
    clearTimeout(timer);
    return !isAborted;
  }

  /** Frees the models. */
  async dispose(): Promise<void> {
    this.metrics.close();
    await this.models.dispose();
  }
}
