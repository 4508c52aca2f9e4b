// The output of an encoder, kept on the device for calls that decode.
import {
  encodeSource,
  type IdSource,
  readFields,
  readSourceIds,
  rowsOf,
  SOURCE_FIELDS,
  type TextSource,
  type Texts,
  type TokenizedSource,
} from "../inputs/source.js";
import type { NativeEncoderOutput } from "../native/types.js";
import type { PaddedBatch } from "../tokenizer/padded-batch.js";
import { readCallOptions } from "../util/call-options.js";
import { expected, refused } from "../util/validation.js";
import { Call, type ModelHandle, NativeResource } from "./call.js";
import { type TruncationResult, truncationOf } from "./results.js";
import { checkDecodingOptions, type DecodingOptions, DecodingSession } from "./session.js";

/** The input of an encoder. */
export type EncoderInput = string | readonly string[] | TextSource | IdSource | TokenizedSource;

/** The source of `generate`, `stream`, `score` and `embed`: the input of an encoder, or its output. */
export type Source = EncoderInput | EncoderOutput;

/** A source as native code takes it, checked and copied. */
export type EncoderSource = PaddedBatch | NativeEncoderOutput;

/** A source of which everything is copied, and texts are not tokenized. */
export type ReadSource = EncoderSource | Texts;

/**
 * The last hidden state of an encoder and its mask, on the model's device. Any number of calls may use it at the same
 * time. Its memory is freed by `dispose()`, or when the garbage collector finds it unused.
 */
export class EncoderOutput {
  /** `[batch, sourceLength, dModel]` */
  readonly shape: readonly [batch: number, sourceLength: number, dModel: number];
  /** Whether each text of the source was truncated, `[batch]`; undefined where the source has no `maxLength`. */
  readonly truncated: readonly boolean[] | undefined;
  readonly #model: ModelHandle;
  readonly #native: NativeResource<NativeEncoderOutput>;

  private constructor(model: ModelHandle, native: NativeEncoderOutput, { truncated }: TruncationResult) {
    this.#model = model;
    this.truncated = truncated && Object.freeze([...truncated]);
    this.#native = new NativeResource(model, native, "an encoder output");
    const [batch = 0, sourceLength = 0, dModel = 0] = native.shape;
    this.shape = Object.freeze([batch, sourceLength, dModel] as const);
  }

  /** @internal */
  static of(model: ModelHandle, native: NativeEncoderOutput, truncation: TruncationResult): EncoderOutput {
    return new EncoderOutput(model, native, truncation);
  }

  /** Whether a value is an encoder output. @internal */
  static is(value: unknown): value is EncoderOutput {
    return typeof value === "object" && value !== null && #native in value;
  }

  /** The number of rows. */
  get batch(): number {
    return this.shape[0];
  }

  /**
   * Starts a decoder that attends to this output, with an empty cache. Throws ERR_INVALID_ARGUMENT, also for the output
   * of a model without a decoder, ERR_DISPOSED.
   */
  startDecoding(options?: DecodingOptions): DecodingSession {
    const call = new Call(this.#model, "startDecoding", EncoderOutput.prototype.startDecoding);
    return call.read(() => {
      if (this.#model.kind === "encoder") throw refused("a model with a decoder", call.name, "a T5EncoderModel");
      const maxLength = checkDecodingOptions(options);
      const native = this.nativeFor(this.#model, call.name).startDecoding();
      return DecodingSession.start(this.#model, native, this.shape, maxLength);
    });
  }

  /**
   * The native object, for a call of `model`. Throws ERR_INVALID_ARGUMENT for an output of another model, ERR_DISPOSED.
   * @internal
   */
  nativeFor(model: ModelHandle, name: string): NativeEncoderOutput {
    return this.#native.for(model, name);
  }

  /** Frees the memory once the calls and sessions that use it have ended. Idempotent. */
  dispose(): void {
    this.#native.dispose();
  }

  /** The same as `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Encodes with the model of `call`. */
export async function encode(call: Call, source: unknown, options: unknown): Promise<EncoderOutput> {
  const { model } = call;
  const control = call.read(() => readCallOptions(options));
  call.check(control);
  const read = call.read(() => readEncoderInput(source, "source", model));
  let truncation: TruncationResult = {};
  const native = await call.runSliced(
    control,
    encodeSource(read, model),
    (scheduling, ids) => {
      truncation = truncationOf(ids);
      return model.native.encode({ scheduling, source: ids });
    },
    (late) => late.dispose(),
  );
  return EncoderOutput.of(model, native, truncation);
}

/** Copies the input of an encoder. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE. */
export function readEncoderInput(value: unknown, name: string, model: ModelHandle): PaddedBatch | Texts {
  if (EncoderOutput.is(value)) throw expected("texts or ids", name, value);
  return readSourceIds(readFields(value, name, SOURCE_FIELDS), model, name);
}

/** Copies a source. Throws ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE, ERR_DISPOSED. */
export function readSource(value: unknown, name: string, model: ModelHandle): ReadSource {
  if (EncoderOutput.is(value)) return value.nativeFor(model, name);
  return readSourceIds(readFields(value, name, SOURCE_FIELDS), model, name);
}

/** The number of rows of a source. */
export function batchOf(source: ReadSource): number {
  return "shape" in source ? (source.shape[0] ?? 0) : rowsOf(source);
}
