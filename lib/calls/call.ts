// What the calls of a model share: the model's state, the ids that cancel native work, abort signals, and stacks of
// errors.
import type { T5Config } from "../loading/config.js";
import type { LayerArchives, Precision } from "../loading/load.js";
import type { NativeModel, NativeScheduling } from "../native/types.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { abortable, onAbort } from "../util/abort.js";
import { type CallSite, captureCallSite, errorFor, T5Error } from "../util/errors.js";
import { refused } from "../util/validation.js";

type ModelParts = Omit<ModelHandle, "isDisposed" | "hasTokenTexts" | "newId">;

/** The state of a loaded model that its methods, sessions, encoder outputs and heads share. */
export class ModelHandle {
  readonly config: T5Config;
  readonly tokenizer: T5Tokenizer | undefined;
  readonly native: NativeModel;
  readonly precision: Precision;
  readonly layerArchives: LayerArchives;
  /** See `AttentionModel`. */
  readonly materializesAttention: boolean;
  /** Frees the native memory of a returned tensor's buffer. */
  readonly release: (buffer: ArrayBufferLike) => void;
  /** Whether `dispose` was called. */
  isDisposed = false;
  /** Whether native code has the texts of the ids, which stop strings need. */
  hasTokenTexts = false;
  #lastId = 0;

  constructor(parts: ModelParts) {
    this.config = parts.config;
    this.tokenizer = parts.tokenizer;
    this.native = parts.native;
    this.precision = parts.precision;
    this.layerArchives = parts.layerArchives;
    this.materializesAttention = parts.materializesAttention;
    this.release = parts.release;
  }

  /** An id for a call that native code can cancel. */
  newId(): number {
    return ++this.#lastId;
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

  /**
   * Starts native work and waits for it. Rejects with the signal's reason as soon as the signal aborts, else with
   * T5Errors. `discard` receives a result that arrives after an abort.
   */
  async run<Result>(
    signal: AbortSignal | undefined,
    start: (scheduling: NativeScheduling) => Promise<Result>,
    discard: (result: Result) => void = () => {},
  ): Promise<Result> {
    throwIfAborted(signal);
    const id = this.model.newId();
    const pending = this.#start(id, start);
    return abortable(pending, signal, () => {
      this.model.native.cancel(id);
      pending.then(discard, () => {});
    });
  }

  /**
   * As `run`, but waits for native code after an abort. Resolves if the work finished before the abort reached it, so
   * that the caller learns of a changed state.
   */
  async runToEnd<Result>(
    signal: AbortSignal | undefined,
    start: (scheduling: NativeScheduling) => Promise<Result>,
  ): Promise<Result> {
    throwIfAborted(signal);
    const id = this.model.newId();
    const pending = this.#start(id, start);
    const unlisten = signal && onAbort(signal, () => this.model.native.cancel(id));
    try {
      return await pending;
    } catch (thrown) {
      throwIfAborted(signal);
      throw thrown;
    } finally {
      unlisten?.();
    }
  }

  /** What was thrown, as a T5Error with the caller's stack. */
  error(thrown: unknown): T5Error {
    return errorFor(thrown, this.#site);
  }

  async #start<Result>(id: number, start: (scheduling: NativeScheduling) => Promise<Result>): Promise<Result> {
    try {
      return await start({ id, priority: 0, isObserved: false });
    } catch (thrown) {
      throw this.error(thrown);
    }
  }
}

/** A native object that belongs to one model. Calls of that model may use it until it is disposed. */
export class NativeResource<Native extends { dispose(): void }> {
  readonly #model: ModelHandle;
  readonly #native: Native;
  readonly #kind: string;
  #isDisposed = false;

  /** `kind` describes the object in messages: "a head". */
  constructor(model: ModelHandle, native: Native, kind: string) {
    this.#model = model;
    this.#native = native;
    this.#kind = kind;
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
    this.#native.dispose();
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

/** The error for the use of something that was disposed: `what` for the call or argument `name`. */
export function disposed(what: string, name: string): T5Error {
  return new T5Error("ERR_DISPOSED", `Expected ${what} for ${name} but it was disposed`);
}

/** Throws the signal's reason if it has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}
