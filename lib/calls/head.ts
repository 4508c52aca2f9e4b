// Heads: the caller's TorchScript modules, which read hidden states on the device.
import { Stats } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { NativeHead } from "../native/types.js";
import { CALL_OPTIONS, readControl } from "../util/call-control.js";
import { type CallOptions, readOptions } from "../util/call-options.js";
import { isError, T5Error } from "../util/errors.js";
import { checkFlag, readPath } from "../util/validation.js";
import { type Call, type ModelHandle, NativeResource } from "./call.js";

/** The options of `loadHead`. */
export interface LoadHeadOptions extends CallOptions {
  /** Load the head whatever operators its code contains. For heads that you wrote. Default: false. */
  readonly trusted?: boolean | undefined;
}

/**
 * A TorchScript module on its model's device, for the `head` option of `forward`. Its memory is freed by `dispose()`,
 * or when the garbage collector finds it unused.
 */
export class Head {
  /** The names of the parameters of its `forward`, in order. */
  readonly inputs: readonly string[];
  readonly #native: NativeResource<NativeHead>;

  private constructor(model: ModelHandle, native: NativeHead) {
    this.#native = new NativeResource(model, native, "a head");
    this.inputs = Object.freeze([...native.inputs]);
  }

  /** @internal */
  static of(model: ModelHandle, native: NativeHead): Head {
    return new Head(model, native);
  }

  /** Whether a value is a head. @internal */
  static is(value: unknown): value is Head {
    return typeof value === "object" && value !== null && #native in value;
  }

  /**
   * The native object, for a call of `model`. Throws ERR_INVALID_ARGUMENT for a head of another model, ERR_DISPOSED.
   * @internal
   */
  nativeFor(model: ModelHandle): NativeHead {
    return this.#native.for(model, "options.head");
  }

  /** Frees the memory once the calls that use it have ended. Idempotent. */
  dispose(): void {
    this.#native.dispose();
  }

  /** The same as `dispose()`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Loads a head onto the device of the model of `call`. */
export async function loadHead(call: Call, path: unknown, options: unknown): Promise<Head> {
  const { model } = call;
  const { trusted, control } = call.read(() => readLoadHeadOptions(options));
  call.check(control);
  const file = call.read(() => resolve(readPath(path, "path")));
  const found = await stat(file).catch((cause: unknown) => cause);
  call.read(() => {
    if (found instanceof Stats && found.isFile()) return;
    const message = `Expected a TorchScript file for path but found none at ${JSON.stringify(file)}`;
    throw new T5Error("ERR_MODEL_NOT_FOUND", message, isError(found) ? { cause: found } : {});
  });
  const native = await call.run(
    control,
    (scheduling) => model.native.loadHead({ scheduling, path: file, trusted }),
    (late) => late.dispose(),
  );
  return Head.of(model, native);
}

function readLoadHeadOptions(options: unknown) {
  const given = readOptions(options, ["trusted", ...CALL_OPTIONS]);
  return { trusted: checkFlag(given.trusted, "options.trusted"), control: readControl(given) };
}
