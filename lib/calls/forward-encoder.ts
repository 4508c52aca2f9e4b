// `forward` of an encoder: its last hidden state.
import { encodeSource } from "../inputs/source.js";
import { readCallOptions } from "../util/call-options.js";
import type { Tensor } from "../util/tensor.js";
import type { Call } from "./call.js";
import { readEncoderInput } from "./encoder-output.js";
import { type TruncationResult, truncationOf, wrapTensor } from "./results.js";

/** The result of an encoder's `forward`. */
export interface EncoderForwardResult extends TruncationResult {
  /** `[batch, sourceLength, dModel]`, after the final layer norm. */
  readonly lastHiddenState: Tensor;
}

/** One pass through the encoder of `call`. */
export async function forwardEncoder(call: Call, input: unknown, options: unknown): Promise<EncoderForwardResult> {
  const { model } = call;
  const control = call.read(() => readCallOptions(options));
  call.check(control);
  const read = call.read(() => readEncoderInput(input, "input", model));
  let truncation: TruncationResult = {};
  const state = await call.runSliced(control, encodeSource(read, model), (scheduling, source) => {
    truncation = truncationOf(source);
    return model.native.forwardEncoder({ scheduling, source });
  });
  return { ...truncation, lastHiddenState: wrapTensor(state, model.release) };
}
