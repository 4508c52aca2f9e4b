// Several loaded models as one: each call goes to the least loaded of them. What belongs to a replica, such as an
// encoder output, a session or a stream, stays with it. Heads and dense layers are loaded onto every replica.
import { isPromise } from "../util/abort.js";
import { type Replica, ReplicaPool, track } from "./replica-pool.js";
import type {
  NativeDecodingSession,
  NativeDense,
  NativeEncoderOutput,
  NativeHead,
  NativeModel,
  NativeScheduling,
  NativeSearch,
  NativeStats,
} from "./types.js";

type NativeReplica = Replica<NativeModel>;
type ByReplica<Resource> = ReadonlyMap<NativeReplica, Resource>;

type Source = { readonly batch: number } | NativeEncoderOutput;

/** One model made of several with the same weights. `models`: at least one. */
export function combineReplicas(models: readonly NativeModel[]): NativeModel {
  return new ReplicatedModel(models);
}

class ReplicatedModel implements NativeModel {
  readonly device: string;
  readonly #pool: ReplicaPool<NativeModel>;
  /** Of encoder outputs, the replica that has each, and its native object. */
  readonly #outputs = new WeakMap<object, { readonly replica: NativeReplica; readonly native: NativeEncoderOutput }>();
  /** Of heads and dense layers, the native object of each replica that worked when they were loaded. */
  readonly #heads = new WeakMap<NativeHead, ByReplica<NativeHead>>();
  readonly #layers = new WeakMap<NativeDense, ByReplica<NativeDense>>();

  constructor(models: readonly NativeModel[]) {
    this.#pool = new ReplicaPool(models);
    this.device = [...new Set(models.map(({ device }) => device))].join(",");
  }

  forward: NativeModel["forward"] = (request) => {
    const replica = this.#pool.leastLoaded();
    const head = request.head && this.#of(this.#heads, request.head, replica);
    return this.#track(replica, request.source, replica.model.forward({ ...request, head }));
  };

  encode: NativeModel["encode"] = async (request) => {
    const replica = this.#pool.leastLoaded();
    const native = await this.#track(replica, request.source, replica.model.encode(request));
    const output: NativeEncoderOutput = {
      shape: native.shape,
      startDecoding: () => sessionOf(replica, native.startDecoding()),
      dispose: () => native.dispose(),
    };
    this.#outputs.set(output, { replica, native });
    return output;
  };

  forwardEncoder: NativeModel["forwardEncoder"] = (request) => {
    const replica = this.#pool.leastLoaded();
    return this.#track(replica, request.source, replica.model.forwardEncoder(request));
  };

  embed: NativeModel["embed"] = (request) => {
    const { replica, source } = this.#locate(request.source);
    const layers = request.layers.map((layer) =>
      layer === "normalize" ? layer : this.#of(this.#layers, layer, replica),
    );
    return this.#track(replica, source, replica.model.embed({ ...request, source, layers }));
  };

  classify: NativeModel["classify"] = (request) => {
    const replica = this.#pool.leastLoaded();
    return this.#track(replica, request.source, replica.model.classify(request));
  };

  score: NativeModel["score"] = (request) => {
    const { replica, source } = this.#locate(request.source);
    return this.#track(replica, source, replica.model.score({ ...request, source }));
  };

  generate: NativeModel["generate"] = (request) => {
    const { replica, source } = this.#locate(request.source);
    return this.#track(replica, source, replica.model.generate({ ...request, source }));
  };

  startSearch: NativeModel["startSearch"] = async (request) => {
    const { replica, source } = this.#locate(request.source);
    const native = await this.#track(replica, source, replica.model.startSearch({ ...request, source }));
    return searchOf(replica, native, rowsOf(source));
  };

  loadHead: NativeModel["loadHead"] = async (request) => {
    const all = await this.#onEach((model, scheduling) => model.loadHead({ ...request, scheduling }), request);
    const [{ inputs } = { inputs: [] }] = all.values();
    const head: NativeHead = { inputs, dispose: () => disposeAll(all.values()) };
    this.#heads.set(head, all);
    return head;
  };

  loadDense: NativeModel["loadDense"] = async (request) => {
    const all = await this.#onEach((model, scheduling) => model.loadDense({ ...request, scheduling }), request);
    const layer: NativeDense = { dispose: () => disposeAll(all.values()) };
    this.#layers.set(layer, all);
    return layer;
  };

  uploadTokenTexts(bytes: Uint8Array, offsets: Int32Array): void {
    for (const { model } of this.#pool.all) model.uploadTokenTexts(bytes, offsets);
  }

  /** Ids are those of calls of any replica, so each gets it. */
  cancel(id: number): void {
    for (const { model } of this.#pool.all) model.cancel(id);
  }

  abort(): void {
    for (const { model } of this.#pool.all) model.abort();
  }

  /** Counts and rates are sums; times and the sizes of the last passes are those of the replica with the largest. */
  stats(): NativeStats {
    const all = this.#pool.all.map(({ model }) => model.stats());
    const sum = (name: keyof NativeStats) => all.reduce((total, stats) => total + stats[name], 0);
    const max = (name: keyof NativeStats) => Math.max(...all.map((stats) => stats[name]));
    return {
      running: sum("running"),
      waiting: sum("waiting"),
      runningRows: sum("runningRows"),
      cacheBytes: sum("cacheBytes"),
      reusableBytes: sum("reusableBytes"),
      steps: sum("steps"),
      lastStepRows: max("lastStepRows"),
      lastPassTokens: max("lastPassTokens"),
      tokensPerSecond: sum("tokensPerSecond"),
      stepMsP50: max("stepMsP50"),
      stepMsP99: max("stepMsP99"),
      queueMsP50: max("queueMsP50"),
      queueMsP99: max("queueMsP99"),
    };
  }

  /** Rejects as the first replica that rejects, after all have been freed. */
  async dispose(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#pool.all.map(({ model }) => model.dispose()));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** The replica for a source, and the source for it. */
  #locate<Ids extends Source>(source: Ids | NativeEncoderOutput) {
    const output = this.#outputs.get(source);
    if (output !== undefined) return { replica: output.replica, source: output.native };
    return { replica: this.#pool.leastLoaded(), source };
  }

  #of<Resource extends object>(
    all: WeakMap<Resource, ByReplica<Resource>>,
    resource: Resource,
    replica: NativeReplica,
  ): Resource {
    return all.get(resource)?.get(replica) ?? resource;
  }

  #track<Result>(replica: NativeReplica, source: Source, pending: Promise<Result>): Promise<Result> {
    return track(replica, rowsOf(source), pending);
  }

  /** Loads something onto every replica that works, or onto none. */
  async #onEach<Resource extends { dispose(): void }>(
    load: (model: NativeModel, scheduling: NativeScheduling) => Promise<Resource>,
    { scheduling }: { readonly scheduling: NativeScheduling },
  ): Promise<ByReplica<Resource>> {
    const loaded = new Map<NativeReplica, Resource>();
    const outcomes = await Promise.allSettled(
      // One call of the caller's, so one is observed.
      this.#pool.working().map(async (replica, index) => {
        const observed = { ...scheduling, isObserved: scheduling.isObserved && index === 0 };
        loaded.set(replica, await track(replica, 0, load(replica.model, observed)));
      }),
    );
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed === undefined) return loaded;
    disposeAll(loaded.values());
    throw failed.reason;
  }
}

function disposeAll(all: Iterable<{ dispose(): void }>): void {
  for (const one of all) one.dispose();
}

function rowsOf(source: Source): number {
  return "batch" in source ? source.batch : (source.shape[0] ?? 1);
}

function sessionOf(replica: NativeReplica, native: NativeDecodingSession): NativeDecodingSession {
  return {
    decode: (request) => track(replica, request.batch, native.decode(request)),
    fork: () => sessionOf(replica, native.fork()),
    dispose: () => native.dispose(),
  };
}

/** An open search computes ahead, so its rows count until it ends. */
function searchOf(replica: NativeReplica, native: NativeSearch, rows: number): NativeSearch {
  let isOpen = true;
  replica.load += rows;
  const close = () => {
    if (isOpen) replica.load -= rows;
    isOpen = false;
  };
  const step = async <Step extends { readonly result?: unknown }>(pending: Promise<Step>): Promise<Step> => {
    const result = await track(replica, 0, pending);
    if (result.result !== undefined) close();
    return result;
  };
  return {
    prepare: (request) => track(replica, 0, native.prepare(request)),
    advance: (request) => step(native.advance(request)),
    next: (request) => {
      const next = native.next(request);
      if (isPromise(next)) return step(next);
      if (next.result !== undefined) close();
      return next;
    },
    dispose: () => {
      close();
      native.dispose();
    },
  };
}
