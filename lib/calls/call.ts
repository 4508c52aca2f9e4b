// What the calls of a model share: ids by which native code knows them, abort signals, and the caller's stack on errors.

import type { GenerationConfig, T5Config } from "../loading/config.js";
import type { NativeModel } from "../native/types.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { abortable, onAbort } from "../util/abort.js";
import { type CallSite, captureCallSite, errorFor, T5Error } from "../util/errors.js";

/** A model as its methods see it, and whatever else was made by it. */
export class ModelHandle {
  readonly config: T5Config;
  readonly generationConfig: GenerationConfig;
  readonly tokenizer: T5Tokenizer | undefined;
  readonly native: NativeModel;
  readonly materializesAttention: boolean;
  /** Frees the tensor behind a buffer of a result. */
  readonly release: (buffer: ArrayBufferLike) => void;
  /** Set when the model was disposed, for good. */
  isDisposed = false;
  /** Whether native code knows the texts of the ids, which stop strings need. */
  hasTokenTexts = false;
  #lastId = 0;

  constructor(
    parts: Pick<
      ModelHandle,
      "config" | "generationConfig" | "tokenizer" | "native" | "materializesAttention" | "release"
    >,
  ) {
    this.config = parts.config;
    this.generationConfig = parts.generationConfig;
    this.tokenizer = parts.tokenizer;
    this.native = parts.native;
    this.materializesAttention = parts.materializesAttention;
    this.release = parts.release;
  }

  newId(): number {
    return ++this.#lastId;
  }
}

/** One call of a public method. */
export class Call {
  readonly model: ModelHandle;
  /** The method's name, as a message says it. */
  readonly name: string;
  readonly #site: CallSite;

  /** To be made in `method` itself, whose caller's stack the call's errors have. */
  constructor(model: ModelHandle, name: string, method: (...args: never[]) => unknown) {
    this.model = model;
    this.name = name;
    this.#site = captureCallSite(method);
  }

  /**
   * What `read` makes of the call's arguments. Throws ERR_DISPOSED after the model was disposed, else a T5Error for whatever
   * `read` throws, with the caller's stack.
   */
  read<Result>(read: () => Result): Result {
    return guarded(this.#site, () => {
      if (this.model.isDisposed) throw disposed("a model in use", this.name);
      return read();
    });
  }

  /**
   * Starts native work and waits for it. Rejects with the signal's reason as soon as it aborts, else with T5Errors.
   * A result that comes after an abort is given to `discard`.
   */
  async run<Result>(
    signal: AbortSignal | undefined,
    start: (id: number) => Promise<Result>,
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

  /** The same, but native work that an abort came too late for is a success: what it changed is known to be changed. */
  async runToEnd<Result>(signal: AbortSignal | undefined, start: (id: number) => Promise<Result>): Promise<Result> {
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

  /** A T5Error with the caller's stack. */
  error(thrown: unknown): T5Error {
    return errorFor(thrown, this.#site);
  }

  async #start<Result>(id: number, start: (id: number) => Promise<Result>): Promise<Result> {
    try {
      return await start(id);
    } catch (thrown) {
      throw this.error(thrown);
    }
  }
}

/** What `read` returns. Whatever it throws, code of the caller's included, becomes a T5Error with the caller's stack. */
export function guarded<Result>(site: CallSite, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof T5Error) throw errorFor(thrown, site);
    const message = "Expected arguments that can be read but received one that throws";
    throw errorFor(new T5Error("ERR_INVALID_ARGUMENT", message, { cause: thrown }), site);
  }
}

/** The error for a use of something that was disposed. */
export function disposed(what: string, name: string): T5Error {
  return new T5Error("ERR_DISPOSED", `Expected ${what} for ${name} but it was disposed`);
}

/** Throws the reason of a signal that has aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw signal.reason;
}
