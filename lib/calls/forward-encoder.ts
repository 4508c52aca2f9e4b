// `forward` of an encoder: its last hidden state.
import { readSignal } from "../util/call-options.js";
import type { Tensor } from "../util/tensor.js";
import { type Call, throwIfAborted } from "./call.js";
import { readEncoderInput } from "./encoder-output.js";
import { wrapTensor } from "./results.js";

/** The result of an encoder's `forward`. */
export interface EncoderForwardResult {
  /** `[batch, sourceLength, dModel]`, after the final layer norm. */
  readonly lastHiddenState: Tensor;
}

/** One pass through the encoder of `call`. */
export async function forwardEncoder(call: Call, input: unknown, options: unknown): Promise<EncoderForwardResult> {
  const { model } = call;
  const signal = call.read(() => readSignal(options));
  throwIfAborted(signal);
  const source = call.read(() => readEncoderInput(input, "input", model));
  const state = await call.run(signal, (scheduling) => model.native.forwardEncoder({ scheduling, source }));
  return { lastHiddenState: wrapTensor(state, model.release) };
}
