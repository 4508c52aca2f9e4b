// A decoder that goes on from where it is: its cache, and the rules by which calls may follow each other.

import { readIds, readList, type TokenIds } from "../inputs/ids.js";
import { checkAttention } from "../inputs/memory-limit.js";
import type { NativeDecodingSession } from "../native/types.js";
import type { IdMatrix } from "../tokenizer/padded-batch.js";
import { checkSignal, type Exact, readOptions } from "../util/call-options.js";
import { checkInteger, expected, refused } from "../util/validation.js";
import { Call, disposed, type ModelHandle, throwIfAborted } from "./call.js";
import { type DecodingResult, wrapResult } from "./results.js";
import { checkSelection, checkSize, readSelectionFields, type Selection, type SelectionOptions } from "./selection.js";

export interface DecodingOptions {
  /** How many decoder positions the session may take, `prefill`'s and `step`'s together. Default: no limit, as T5 has none. */
  readonly maxLength?: number | undefined;
}

/** The options of `prefill`. */
export type PrefillOptions = SelectionOptions;

/** The options of `step`, which has one position to return. */
export type StepOptions = Omit<SelectionOptions, "positions">;

/** What a session continues from, and a fork of it as well. */
interface State {
  readonly native: NativeDecodingSession;
  readonly maxLength: number;
  position: number;
  /** How many rows the next call has. */
  batch: number;
  /** Where those rows were at the last call, if `reorder` moved them since. */
  rows: Int32Array | undefined;
}

/** The checked arguments of a `prefill` or a `step`. */
interface Decoding {
  readonly ids: IdMatrix;
  readonly selection: Selection;
}

/**
 * A decoder with its cache over one encoder output. One call at a time; a call that fails or is aborted leaves it as it
 * was. Its memory is freed when the garbage collector finds it unused, or by `dispose()`.
 *
 * T5 has no longest input, its positions are relative: `maxLength` of `startDecoding` sets one.
 */
export class DecodingSession {
  readonly #model: ModelHandle;
  readonly #state: State;
  /** The call that runs. */
  #running: string | undefined;
  #isDisposed = false;

  private constructor(model: ModelHandle, state: State) {
    this.#model = model;
    this.#state = state;
  }

  /** @internal */
  static start(model: ModelHandle, native: NativeDecodingSession, batch: number, maxLength: number): DecodingSession {
    return new DecodingSession(model, { native, maxLength, batch, position: 0, rows: undefined });
  }

  /** How many decoder positions the cache holds. */
  get position(): number {
    return this.#state.position;
  }

  /** How many rows the next call has; `reorder` changes it. */
  get batch(): number {
    return this.#state.batch;
  }

  /**
   * The first decoder ids, `[batch, n]`, at once. Resolves to `{ logits: [batch, n, vocabSize] }`, or what the options make
   * of it, as `forward` does with `decoderInputIds`. Rejects as `forward` does, and with ERR_INVALID_ARGUMENT after the
   * first call and while another one runs.
   */
  async prefill<const Options extends PrefillOptions = Record<never, never>>(
    decoderInputIds: TokenIds,
    options?: Exact<Options, PrefillOptions>,
  ): Promise<DecodingResult<Options>> {
    const call = new Call(this.#model, "prefill", DecodingSession.prototype.prefill);
    const { decoding, signal } = call.read(() => {
      this.#checkIdle(call.name);
      if (this.position > 0) throw expected("a session at position 0", call.name, this.position);
      const fields = readSelectionFields(options);
      const ids = this.#readIds(decoderInputIds);
      return { decoding: this.#check(ids, fields), signal: checkSignal(fields.signal) };
    });
    return this.#decode(call, decoding, signal);
  }

  /**
   * One decoder id per row, `[batch, 1]`. Resolves to `{ logits: [batch, 1, vocabSize] }`, or what the options make of it.
   * At position 0 it is a prefill of one. Rejects as `forward` does, and with ERR_INVALID_ARGUMENT while another call runs.
   */
  async step<const Options extends StepOptions = Record<never, never>>(
    decoderInputIds: TokenIds,
    options?: Exact<Options, StepOptions>,
  ): Promise<DecodingResult<Options>> {
    const call = new Call(this.#model, "step", DecodingSession.prototype.step);
    const { decoding, signal } = call.read(() => {
      this.#checkIdle(call.name);
      const fields = readOptions(options, ["tokens", "topK", "hiddenStates", "signal"]);
      const ids = this.#readIds(decoderInputIds);
      if (ids.length !== 1) throw expected("one id per row", "decoderInputIds", ids.length);
      return { decoding: this.#check(ids, fields), signal: checkSignal(fields.signal) };
    });
    return this.#decode(call, decoding, signal);
  }

  /** Another session that continues from here. They share the memory of the past, and nothing else. */
  fork(): DecodingSession {
    const call = new Call(this.#model, "fork", DecodingSession.prototype.fork);
    return call.read(() => {
      this.#checkIdle(call.name);
      return new DecodingSession(this.#model, { ...this.#state, native: this.#state.native.fork() });
    });
  }

  /**
   * Row i of the next call continues from row `beamIndices[i]` of now; there may be more rows or fewer. Hugging Face's
   * `reorder_cache`, with the encoder's rows. Throws ERR_INVALID_ARGUMENT.
   */
  reorder(beamIndices: readonly number[] | Int32Array): void {
    const call = new Call(this.#model, "reorder", DecodingSession.prototype.reorder);
    call.read(() => {
      this.#checkIdle(call.name);
      const state = this.#state;
      const last = state.batch - 1;
      const from = readList(beamIndices, "beamIndices", state.batch, (row, name) =>
        expected(`a row from 0 to ${last}`, name, row),
      );
      const { rows } = state;
      state.rows = rows === undefined ? from : from.map((row) => rows[row] ?? 0);
      state.batch = from.length;
    });
  }

  /** Frees the cache once a call that runs has ended. Later calls fail with ERR_DISPOSED. Idempotent. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#state.native.dispose();
  }

  /** The same as `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkIdle(name: string): void {
    if (this.#isDisposed) throw disposed("a session in use", name);
    if (this.#running === undefined) return;
    throw refused("one call at a time", "a session", `${name} while ${this.#running} runs`);
  }

  #readIds(value: unknown): IdMatrix {
    const { batch, position, maxLength } = this.#state;
    const ids = readIds(value, "decoderInputIds", this.#model.config.vocabSize);
    if (ids.batch !== batch) throw expected(`${batch} rows, as the session has,`, "decoderInputIds", ids.batch);
    checkAttention(ids.batch, ids.length, this.#model, "decoderInputIds");
    const left = maxLength - position;
    if (ids.length > left) {
      const what = `at most ${left} positions, as maxLength is ${maxLength} and position ${position},`;
      throw expected(what, "decoderInputIds", ids.length);
    }
    return ids;
  }

  #check(ids: IdMatrix, fields: Parameters<typeof checkSelection>[0]): Decoding {
    const { vocabSize } = this.#model.config;
    const selection = checkSelection(fields, ids.length, vocabSize);
    checkSize(ids.batch, ids.length, vocabSize, selection);
    return { ids, selection };
  }

  async #decode<Result>(call: Call, { ids, selection }: Decoding, signal: AbortSignal | undefined): Promise<Result> {
    const state = this.#state;
    const { rows } = state;
    throwIfAborted(signal);
    this.#running = call.name;
    try {
      const request = { rows, batch: ids.batch, targetLength: ids.length, decoderInputIds: ids.data, ...selection };
      const result = await call.runToEnd(signal, (id) => state.native.decode({ id, ...request }));
      state.position += ids.length;
      state.rows = undefined;
      return wrapResult<Result>(result, this.#model.release);
    } finally {
      this.#running = undefined;
    }
  }
}

/** The limit that `startDecoding` sets. Throws ERR_INVALID_ARGUMENT. */
export function checkDecodingOptions(value: unknown): number {
  const { maxLength } = readOptions(value, ["maxLength"]);
  return maxLength === undefined ? Number.POSITIVE_INFINITY : checkInteger(maxLength, "options.maxLength", 1);
}
