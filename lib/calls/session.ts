// Decoding sessions: a decoder with its key-value cache, and the rules for the order of its calls.
import { readIds, readList, type TokenIds } from "../inputs/ids.js";
import { checkSequences } from "../inputs/memory-limit.js";
import type { NativeDecodingSession, NativeSelection } from "../native/types.js";
import type { IdMatrix } from "../tokenizer/padded-batch.js";
import { type CallControl, readControl } from "../util/call-control.js";
import { type Exact, readOptions } from "../util/call-options.js";
import { checkInteger, expected, refused } from "../util/validation.js";
import { Call, disposed, type ModelHandle } from "./call.js";
import type { Hold } from "./holds.js";
import { checkLayerOutputs } from "./layer-outputs.js";
import {
  checkLogitsSize,
  checkSelection,
  type DecodingResult,
  SELECTION_OPTIONS,
  type SelectionFields,
  type SelectionOptions,
  STEP_SELECTION_OPTIONS,
  wrapResult,
} from "./results.js";

/** The options of `startDecoding`. */
export interface DecodingOptions {
  /** Maximum number of decoder positions, of `prefill` and all steps together. Default: no limit, as T5 has none. */
  readonly maxLength?: number | undefined;
}

/** The options of `prefill`. */
export type PrefillOptions = SelectionOptions;

/** The options of `step`, which returns one position. */
export type StepOptions = Omit<SelectionOptions, "positions">;

/** The state that a fork copies. */
interface State {
  readonly native: NativeDecodingSession;
  readonly sourceLength: number;
  readonly maxLength: number;
  position: number;
  /** The number of rows of the next call. */
  batch: number;
  /** The cache row that each row of the next call continues from; undefined: no `reorder` since the last call. */
  rows: Int32Array | undefined;
}

/** The checked arguments of a `prefill` or a `step`. */
interface Decoding {
  readonly ids: IdMatrix;
  readonly selection: NativeSelection;
}

/**
 * A decoder that attends to one encoder output, with its key-value cache. It takes one call at a time; a call that
 * fails or is aborted leaves it unchanged. Its memory is freed by `dispose()`, or when the garbage collector finds it
 * unused.
 *
 * T5's positions are relative, so that no length is too long for it; `maxLength` of `startDecoding` sets a limit.
 */
export class DecodingSession {
  readonly #model: ModelHandle;
  readonly #state: State;
  readonly #hold: Hold;
  /** The name of the call that runs. */
  #running: string | undefined;
  #isDisposed = false;

  private constructor(model: ModelHandle, state: State) {
    this.#model = model;
    this.#state = state;
    this.#hold = model.holds.begin(this);
  }

  /** @internal */
  static start(
    model: ModelHandle,
    native: NativeDecodingSession,
    [batch, sourceLength]: readonly [batch: number, sourceLength: number, dModel: number],
    maxLength: number,
  ): DecodingSession {
    return new DecodingSession(model, { native, sourceLength, maxLength, batch, position: 0, rows: undefined });
  }

  /** The number of decoder positions in the cache. */
  get position(): number {
    return this.#state.position;
  }

  /** The number of rows of the next call; `reorder` changes it. */
  get batch(): number {
    return this.#state.batch;
  }

  /**
   * Decodes the first ids, `[batch, n]`, at once. Resolves to `{ logits: [batch, n, vocabSize] }`; the options select,
   * add and replace as those of `forward` do. Rejects as `forward` does, with ERR_INVALID_ARGUMENT also after the first
   * call and while another call runs.
   */
  async prefill<const Options extends PrefillOptions = Record<never, never>>(
    decoderInputIds: TokenIds,
    options?: Exact<Options, PrefillOptions>,
  ): Promise<DecodingResult<Options>> {
    const call = new Call(this.#model, "prefill", DecodingSession.prototype.prefill);
    const { decoding, control } = call.read(() => {
      this.#checkIdle(call.name);
      if (this.position > 0) throw expected("a session at position 0", call.name, this.position);
      const fields = readOptions(options, SELECTION_OPTIONS);
      const ids = this.#readIds(decoderInputIds);
      return { decoding: this.#check(ids, fields), control: readControl(fields) };
    });
    return this.#decode(call, decoding, control);
  }

  /**
   * Decodes one id per row, `[batch, 1]`; `prefill` is not needed before. Resolves to
   * `{ logits: [batch, 1, vocabSize] }`; the options select, add and replace as those of `forward` do. Rejects as
   * `forward` does, with ERR_INVALID_ARGUMENT also while another call runs.
   */
  async step<const Options extends StepOptions = Record<never, never>>(
    decoderInputIds: TokenIds,
    options?: Exact<Options, StepOptions>,
  ): Promise<DecodingResult<Options>> {
    const call = new Call(this.#model, "step", DecodingSession.prototype.step);
    const { decoding, control } = call.read(() => {
      this.#checkIdle(call.name);
      const fields = readOptions(options, STEP_SELECTION_OPTIONS);
      const ids = this.#readIds(decoderInputIds);
      if (ids.length !== 1) throw expected("one id per row", "decoderInputIds", ids.length);
      return { decoding: this.#check(ids, fields), control: readControl(fields) };
    });
    return this.#decode(call, decoding, control);
  }

  /**
   * A session that continues independently from the same state. The two share the memory of the cache so far. Throws
   * ERR_INVALID_ARGUMENT while a call runs, ERR_DISPOSED.
   */
  fork(): DecodingSession {
    const call = new Call(this.#model, "fork", DecodingSession.prototype.fork);
    return call.read(() => {
      this.#checkIdle(call.name);
      return new DecodingSession(this.#model, { ...this.#state, native: this.#state.native.fork() });
    });
  }

  /**
   * Makes row i of the next call continue from the current row `beamIndices[i]`, and attend to that row's encoder
   * output. The number of rows may change. Hugging Face's `reorder_cache`. Throws ERR_INVALID_ARGUMENT, also while a
   * call runs, ERR_DISPOSED.
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

  /** Frees the cache, after the call that runs. Later calls fail with ERR_DISPOSED. Idempotent. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    // A call made before may not have reached native code.
    this.#model.preparing.after(() => this.#state.native.dispose());
    this.#hold.end();
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
    checkSequences(ids.batch, ids.length, this.#model, "decoderInputIds");
    const left = maxLength - position;
    if (ids.length > left) {
      const what = `at most ${left} positions, as maxLength is ${maxLength} and position ${position},`;
      throw expected(what, "decoderInputIds", ids.length);
    }
    return ids;
  }

  #check(ids: IdMatrix, fields: SelectionFields): Decoding {
    const { vocabSize } = this.#model.config;
    const selection = checkSelection(fields, ids.length, vocabSize);
    checkLogitsSize(ids.batch, ids.length, vocabSize, selection);
    const { position, sourceLength } = this.#state;
    const sizes = { batch: ids.batch, encoderLength: 0, sourceLength, targetLength: ids.length };
    checkLayerOutputs(selection, { ...sizes, positions: position + ids.length }, this.#model);
    return { ids, selection };
  }

  async #decode<Result>(call: Call, { ids, selection }: Decoding, control: CallControl): Promise<Result> {
    const state = this.#state;
    const { rows } = state;
    call.check(control);
    this.#running = call.name;
    try {
      const request = { rows, batch: ids.batch, targetLength: ids.length, decoderInputIds: ids.data, ...selection };
      const result = await call.runToEnd(control, (scheduling) => state.native.decode({ scheduling, ...request }));
      state.position += ids.length;
      state.rows = undefined;
      return wrapResult<Result>(result, this.#model.release);
    } finally {
      this.#running = undefined;
    }
  }
}

/** The maximum length that `startDecoding` sets. Throws ERR_INVALID_ARGUMENT. */
export function checkDecodingOptions(value: unknown): number {
  const { maxLength } = readOptions(value, ["maxLength"]);
  return maxLength === undefined ? Number.POSITIVE_INFINITY : checkInteger(maxLength, "options.maxLength", 1);
}
