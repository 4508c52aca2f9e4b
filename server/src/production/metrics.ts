// Prometheus metrics: requests, tokens, the models' schedulers, and Node.js itself.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { Counter, type CounterConfiguration, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { type ModelStats, REQUEST_CHANNEL, type RequestEvent } from "torch-t5";
import type { ModelRegistry } from "../models/registry.js";

/** Upper bounds in seconds: from a short call to a long generation. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What is measured of each model: a name, its help, and the value in `stats()`. */
const MODEL_GAUGES: readonly (readonly [name: string, help: string, read: (stats: ModelStats) => number])[] = [
  ["running_requests", "Native requests that run", ({ running }) => running],
  ["waiting_requests", "Native requests that wait", ({ waiting }) => waiting],
  ["running_rows", "Rows of the running generations", ({ runningRows }) => runningRows],
  ["cache_bytes", "Bytes of the KV caches", ({ cacheBytes }) => cacheBytes],
  ["decoding_steps", "Decoding steps since the model was loaded", ({ steps }) => steps],
  ["last_step_rows", "Rows of the last decoding step", ({ lastStepRows }) => lastStepRows],
  ["tokens_per_second", "Rows of the decoding steps of the last five seconds, per second", (s) => s.tokensPerSecond],
  ["step_seconds_p50", "Median time of a decoding step", ({ stepMs }) => stepMs.p50 / 1000],
  ["step_seconds_p99", "99th percentile of the time of a decoding step", ({ stepMs }) => stepMs.p99 / 1000],
  ["queue_seconds_p50", "Median wait before a start", ({ queueMs }) => queueMs.p50 / 1000],
  ["queue_seconds_p99", "99th percentile of the wait before a start", ({ queueMs }) => queueMs.p99 / 1000],
];

/** A counter that every token adds to: it becomes prom-client's, which looks up labels, only when it is read. */
class Tally<Label extends string> {
  readonly #counts = new Map<string, { readonly labels: Readonly<Record<Label, string>>; count: number }>();
  readonly #labelNames: readonly Label[];

  constructor(settings: CounterConfiguration<Label> & { readonly labelNames: readonly Label[] }) {
    const counts = this.#counts;
    this.#labelNames = settings.labelNames;
    new Counter({
      ...settings,
      collect() {
        this.reset();
        for (const { labels, count } of counts.values()) this.inc(labels, count);
      },
    });
  }

  /** `values`: of the labels. */
  add(count: number, ...values: readonly string[]): void {
    const key = values.join("\n");
    const known = this.#counts.get(key);
    if (known !== undefined) {
      known.count += count;
      return;
    }
    const labels = Object.fromEntries(this.#labelNames.map((name, index) => [name, values[index]]));
    this.#counts.set(key, { labels: labels as Record<Label, string>, count });
  }
}

/** The metrics of one server. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<"protocol" | "route" | "method" | "status">;
  readonly #seconds: Histogram<"protocol" | "route">;
  readonly #tokens: Tally<"model" | "kind">;
  readonly #native: Tally<"call" | "code">;
  readonly #queue: Histogram<"call">;
  readonly #firstToken: Histogram<"call">;

  constructor(models: ModelRegistry, inFlight: () => number) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#requests = new Counter({
      name: "torch_t5_requests_total",
      help: "Requests by their route and status",
      labelNames: ["protocol", "route", "method", "status"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "torch_t5_request_seconds",
      help: "Time of a request, in seconds",
      labelNames: ["protocol", "route"],
      buckets: SECONDS,
      registers,
    });
    this.#tokens = new Tally({
      name: "torch_t5_tokens_total",
      help: "Tokens read by encoders (source) and generated",
      labelNames: ["model", "kind"],
      registers,
    });
    this.#native = new Tally({
      name: "torch_t5_native_requests_total",
      help: "Native requests of models by call and outcome: ok or the code of an error",
      labelNames: ["call", "code"],
      registers,
    });
    this.#queue = new Histogram({
      name: "torch_t5_native_queue_seconds",
      help: "Time that a native request waits before it starts",
      labelNames: ["call"],
      buckets: SECONDS,
      registers,
    });
    this.#firstToken = new Histogram({
      name: "torch_t5_native_first_token_seconds",
      help: "Time from the queue to the first token of a generation",
      labelNames: ["call"],
      buckets: SECONDS,
      registers,
    });
    new Gauge({
      name: "torch_t5_requests_in_flight",
      help: "Requests that are being answered",
      registers,
      collect() {
        this.set(inFlight());
      },
    });
    for (const [name, help, read] of MODEL_GAUGES) this.#addModelGauge(name, help, read, models);
    subscribe(REQUEST_CHANNEL, this.#onEvent);
  }

  /** The text for Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  readonly countTokens = (model: string, kind: "source" | "generated", count: number): void => {
    this.#tokens.add(count, model, kind);
  };

  countRequest(protocol: "http" | "grpc", route: string, method: string, status: number, seconds: number): void {
    this.#requests.inc({ protocol, route, method, status: String(status) });
    this.#seconds.observe({ protocol, route }, seconds);
  }

  /** Stops listening to the models. */
  close(): void {
    unsubscribe(REQUEST_CHANNEL, this.#onEvent);
    this.#registry.clear();
  }

  readonly #onEvent = (message: unknown): void => {
    const { kind: call, event, ms, code = "ok" } = message as RequestEvent;
    if (event === "started") this.#queue.observe({ call }, ms / 1000);
    else if (event === "firstToken") this.#firstToken.observe({ call }, ms / 1000);
    else if (event === "ended") this.#native.add(1, call, code);
  };

  #addModelGauge(name: string, help: string, read: (stats: ModelStats) => number, models: ModelRegistry): void {
    new Gauge({
      name: `torch_t5_model_${name}`,
      help,
      labelNames: ["model"],
      registers: [this.#registry],
      collect() {
        for (const model of models.all)
          if (model.isReady) this.set({ model: model.name }, read(model.loaded.t5.stats()));
      },
    });
  }
}
