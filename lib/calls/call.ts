// What the calls of a model share: the model's state, the ids that cancel native work, abort signals, and stacks of
// errors.
import type { ModelKind } from "../loading/architectures.js";
import type { T5Config } from "../loading/config.js";
import type { LayerArchives, LoadedEmbedding, LoadedModel, ModelLimits, Precision } from "../loading/load.js";
import { areRequestsObserved, observeRequest, requestEnded, requestMade } from "../native/request-events.js";
import type { NativeGenerateResult, NativeModel, NativeScheduling, NativeStep } from "../native/types.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { isPromise, unlessEnded } from "../util/abort.js";
import { type CallControl, hasEnded, onEnd } from "../util/call-control.js";
import { type CallSite, captureCallSite, errorFor, isError, T5Error } from "../util/errors.js";
import { continueSliced, firstSlice, type Sliced } from "../util/slices.js";
import { refused } from "../util/validation.js";
import { type Hold, Holds } from "./holds.js";
import { PreparingCalls } from "./preparing-calls.js";

/** Of all models, because the events of their requests are published on one channel. */
let lastId = 0;

/** The state of a loaded model that its methods, sessions, encoder outputs and heads share. */
export class ModelHandle {
  readonly kind: ModelKind;
  readonly config: T5Config;
  readonly tokenizer: T5Tokenizer | undefined;
  readonly tokenizerRefusal: string | undefined;
  readonly native: NativeModel;
  /** See `LoadedModel`. */
  readonly replicas: readonly NativeModel[];
  readonly embedding: LoadedEmbedding | undefined;
  readonly precision: Precision;
  readonly layerArchives: LayerArchives;
  /** See `SequenceLimits`. */
  readonly materializesAttention: boolean;
  readonly limits: ModelLimits;
  /** Frees the native memory of a returned tensor's buffer. */
  readonly release: (buffer: ArrayBufferLike) => void;
  /** The calls that have not started. */
  readonly preparing: PreparingCalls;
  /** The calls and objects that use the model. */
  readonly holds = new Holds();
  /** Whether `dispose` was called. */
  isDisposed = false;
  /** Whether native code has the texts of the ids, which stop strings need. */
  hasTokenTexts = false;
  constructor(loaded: LoadedModel) {
    const { kind, directory, tokenizer, tokenizerRefusal, precision, layerArchives, native } = loaded;
    const { embedding, release, limits } = loaded;
    this.replicas = loaded.replicas;
    this.limits = limits;
    this.kind = kind;
    this.config = directory.config;
    this.tokenizer = tokenizer;
    this.tokenizerRefusal = tokenizerRefusal;
    this.native = native;
    this.precision = precision;
    this.layerArchives = layerArchives;
    this.embedding = embedding;
    this.materializesAttention = precision === "exact" || native.device !== "cpu";
    this.release = release;
    this.preparing = new PreparingCalls(limits.maxQueueLength);
  }

  /** An id for a call that native code can cancel. */
  newId(): number {
    return ++lastId;
  }

  /** Frees the model once the calls that native code has accepted have ended. */
  async free(): Promise<void> {
    await this.native.dispose();
    for (const layer of this.embedding?.layers ?? []) if (layer !== "normalize") layer.dispose();
  }
}

/**
 * One call of a public method: reads its arguments, runs native work for it, and gives its errors the caller's stack.
 */
export class Call {
  readonly model: ModelHandle;
  /** The method's name, for messages. */
  readonly name: string;
  readonly #site: CallSite;

  /** Errors have the stack of the caller of `method`, so this must run in `method` itself. */
  constructor(model: ModelHandle, name: string, method: (...args: never[]) => unknown) {
    this.model = model;
    this.name = name;
    this.#site = captureCallSite(method);
  }

  /**
   * Runs `read`, which reads arguments. Throws ERR_DISPOSED if the model was disposed, and what `read` throws as a
   * T5Error with the caller's stack.
   */
  read<Result>(read: () => Result): Result {
    return guarded(this.#site, () => {
      if (this.model.isDisposed) throw disposed("a model in use", this.name);
      return read();
    });
  }

  /** Settles as the whole work of the call does. Until then the model is in use, even if `reload` replaces it. */
  async toEnd<Result>(work: Promise<Result>): Promise<Result> {
    const hold = this.model.holds.begin();
    try {
      return await work;
    } finally {
      hold.end();
    }
  }

  /**
   * Starts native work and waits for it. Rejects with the signal's reason as soon as the signal aborts, else with
   * T5Errors. `discard` receives a result that arrives after an abort.
   */
  async run<Result>(
    control: CallControl,
    start: (scheduling: NativeScheduling) => Promise<Result>,
    discard?: (result: Result) => void,
  ): Promise<Result> {
    this.check(control);
    return this.#run(control, undefined, start, discard);
  }

  /** As `run`, but returns what is there at once, and throws what is refused. */
  ask<Result>(
    control: CallControl,
    start: (scheduling: NativeScheduling) => Result | Promise<Result>,
  ): Result | Promise<Result> {
    this.check(control);
    const id = this.model.newId();
    const asked = this.#begin(id, control, undefined, start);
    return isPromise(asked) ? this.until(control, asked, () => this.model.native.cancel(id)) : asked;
  }

  /** As `run`, with what `work` returns, which runs in time slices before. Other calls may start meanwhile. */
  async runSliced<Prepared, Result>(
    control: CallControl,
    work: Sliced<Prepared>,
    start: (scheduling: NativeScheduling, prepared: Prepared) => Promise<Result>,
    discard?: (result: Result) => void,
  ): Promise<Result> {
    this.check(control);
    const first = this.#guard(() => firstSlice(work));
    if (first.done) return this.#run(control, first.value, start, discard);
    const { preparing } = this.model;
    const place = this.#guard(() => preparing.begin());
    try {
      const prepared = await this.#finish(work, control);
      this.check(control);
      // Not awaited: the call has started, and `dispose` may follow.
      return this.#run(control, prepared, start, discard);
    } finally {
      preparing.end(place);
    }
  }

  /**
   * As `run`, but waits for native code after an abort. Resolves if the work finished before the abort reached it, so
   * that the caller learns of a changed state.
   */
  async runToEnd<Result>(
    control: CallControl,
    start: (scheduling: NativeScheduling) => Promise<Result>,
  ): Promise<Result> {
    this.check(control);
    const id = this.model.newId();
    const pending = this.#start(id, control, undefined, start);
    const stop = onEnd(control, () => this.model.native.cancel(id));
    try {
      return await pending;
    } catch (thrown) {
      this.check(control);
      throw thrown;
    } finally {
      stop();
    }
  }

  /** Throws the reason of the caller's signal if it has aborted, and ERR_TIMEOUT. */
  check(control: CallControl): void {
    if (hasEnded(control)) throw this.endError(control);
  }

  /**
   * Settles as `pending` does. When the caller's signal aborts or its time is over first, rejects with the signal's
   * reason or ERR_TIMEOUT, and calls `cancel`.
   */
  until<Result>(control: CallControl, pending: Promise<Result>, cancel: () => void = () => {}): Promise<Result> {
    const { signal, timeout } = control;
    if (signal === undefined && timeout === undefined) return pending;
    const ending = {
      hasEnded: () => signal?.aborted === true,
      listen: (callback: () => void) => onEnd(control, callback),
      reason: () => this.endError(control),
    };
    return unlessEnded(pending, ending, cancel);
  }

  /** Why a call ends early: the reason of its aborted signal, else ERR_TIMEOUT. */
  endError({ signal, timeout }: CallControl): unknown {
    if (signal?.aborted) return signal.reason;
    const message = `Expected ${this.name} to end within ${timeout?.ms} ms (options.timeoutMs) but it was still running`;
    return this.error(new T5Error("ERR_TIMEOUT", message));
  }

  /** What was thrown, as a T5Error with the caller's stack. */
  error(thrown: unknown): T5Error {
    return errorFor(thrown, this.#site);
  }

  #run<Prepared, Result>(
    control: CallControl,
    prepared: Prepared,
    start: (scheduling: NativeScheduling, prepared: Prepared) => Promise<Result>,
    discard: (result: Result) => void = () => {},
  ): Promise<Result> {
    const { model } = this;
    const id = model.newId();
    const pending = this.#start(id, control, prepared, start);
    return this.until(control, pending, () => {
      model.native.cancel(id);
      pending.then(discard, () => {});
    });
  }

  /** The further slices of work. */
  #finish<Prepared>(work: Sliced<Prepared>, control: CallControl): Promise<Prepared> {
    let stop = () => {};
    const pending = new Promise<Prepared>((done, reject) => {
      stop = continueSliced(work, { done, failed: (thrown) => reject(this.error(thrown)) });
    });
    return this.until(control, pending, stop);
  }

  #guard<Result>(run: () => Result): Result {
    try {
      return run();
    } catch (thrown) {
      throw this.error(thrown);
    }
  }

  async #start<Prepared, Result>(
    id: number,
    control: CallControl,
    prepared: Prepared,
    start: (scheduling: NativeScheduling, prepared: Prepared) => Promise<Result>,
  ): Promise<Result> {
    return this.#begin(id, control, prepared, start);
  }

  #begin<Prepared, Result>(
    id: number,
    { priority }: CallControl,
    prepared: Prepared,
    start: (scheduling: NativeScheduling, prepared: Prepared) => Result | Promise<Result>,
  ): Result | Promise<Result> {
    const isObserved = areRequestsObserved();
    if (isObserved) observeRequest(id, this.name);
    const ended = (result: Result): Result => {
      if (isObserved) requestEnded(id, generatedIds(result));
      return result;
    };
    const failed = (thrown: unknown): never => {
      if (isObserved) requestEnded(id, { code: codeOf(thrown) });
      // `dispose` with `drain: false` aborts the calls.
      if (this.model.isDisposed && codeOf(thrown) === "ERR_ABORTED")
        throw this.error(disposed("a model in use", this.name));
      throw this.error(thrown);
    };
    let started: Result | Promise<Result>;
    try {
      started = start({ id, priority, isObserved }, prepared);
      if (isObserved) requestMade(id);
    } catch (thrown) {
      return failed(thrown);
    }
    return isPromise(started) ? started.then(ended, failed) : ended(started);
  }
}

/** A native object that belongs to one model. Calls of that model may use it until it is disposed. */
export class NativeResource<Native extends { dispose(): void }> {
  readonly #model: ModelHandle;
  readonly #native: Native;
  readonly #kind: string;
  readonly #hold: Hold;
  #isDisposed = false;

  /** `kind` describes the object in messages: "a head". */
  constructor(model: ModelHandle, native: Native, kind: string) {
    this.#model = model;
    this.#native = native;
    this.#kind = kind;
    this.#hold = model.holds.begin(this);
  }

  /**
   * The object, for the call or argument `name` of `model`. Throws ERR_INVALID_ARGUMENT if the object belongs to
   * another model, ERR_DISPOSED.
   */
  for(model: ModelHandle, name: string): Native {
    if (model !== this.#model) throw refused(`${this.#kind} of this model`, name, "one of another model");
    if (this.#isDisposed) throw disposed(`${this.#kind} in use`, name);
    return this.#native;
  }

  /** Frees the object, which native code keeps until the calls that use it have ended. Idempotent. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    // Calls made before may not have reached native code.
    this.#model.preparing.after(() => this.#native.dispose());
    this.#hold.end();
  }
}

/** Runs `read`, which may run getters of the caller's objects. An error becomes a T5Error with the caller's stack. */
export function guarded<Result>(site: CallSite, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof T5Error) throw errorFor(thrown, site);
    const message = "Expected arguments that can be read but received one that throws";
    throw errorFor(new T5Error("ERR_INVALID_ARGUMENT", message, { cause: thrown }), site);
  }
}

/** The number of ids that a native result adds to its sequences, where it adds any. */
function generatedIds(result: unknown): { readonly outputTokens?: number } {
  if (typeof result !== "object" || result === null) return {};
  if ("lengths" in result) {
    const { lengths } = result as NativeGenerateResult;
    return { outputTokens: lengths.reduce((sum, length) => sum + length, 0) };
  }
  return "tokenIds" in result ? { outputTokens: (result as NativeStep).tokenIds.length } : {};
}

/** The code of a native error. */
function codeOf(thrown: unknown): string {
  return isError(thrown) && "code" in thrown ? String(thrown.code) : "ERR_INTERNAL";
}

/** The error for the use of something that was disposed: `what` for the call or argument `name`. */
export function disposed(what: string, name: string): T5Error {
  return new T5Error("ERR_DISPOSED", `Expected ${what} for ${name} but it was disposed`);
}
