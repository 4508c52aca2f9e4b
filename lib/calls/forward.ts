// `forward`: one pass through the model.

import { readInputs } from "../inputs/forward-input.js";
import type { NativeForwardRequest, NativeForwardResult, NativeHead } from "../native/types.js";
import { checkSignal } from "../util/call-options.js";
import { checkFlag, expected } from "../util/validation.js";
import { type Call, type ModelHandle, throwIfAborted } from "./call.js";
import { EncoderOutput } from "./encoder-output.js";
import { Head } from "./head.js";
import { checkSelection, checkSize, type ForwardFields, readForwardFields } from "./selection.js";

/** One forward pass of the model of `call`. */
export async function forward(call: Call, input: unknown, options: unknown): Promise<NativeForwardResult> {
  const { model } = call;
  const { fields, signal } = call.read(() => {
    const given = readForwardFields(options);
    return { fields: given, signal: checkSignal(given.signal) };
  });
  throwIfAborted(signal);
  const request = call.read(() => readRequest(call, input, fields));
  return call.run(signal, (id) => model.native.forward({ id, ...request }));
}

function readRequest({ model }: Call, input: unknown, fields: ForwardFields): Omit<NativeForwardRequest, "id"> {
  if (EncoderOutput.is(input)) {
    throw expected("texts or ids (an encoder output's startDecoding continues from it)", "input", input);
  }
  const { source, decoder, labels } = readInputs(input, model);
  const { vocabSize } = model.config;
  const head = checkHead(fields, model);
  const selection = checkSelection(fields, decoder.length, vocabSize);
  const loss = checkFlag(fields.loss, "options.loss");
  if (loss && labels === undefined) throw expected("target or labels, as options.loss is true,", "input", undefined);
  checkSize(source.batch, decoder.length, vocabSize, selection);
  return {
    source,
    targetLength: decoder.length,
    decoderInputIds: decoder.data,
    labels: loss || head !== undefined ? labels : undefined,
    loss,
    ...selection,
    head,
  };
}

/** The head of a call, or undefined. Throws ERR_INVALID_ARGUMENT, ERR_DISPOSED. */
function checkHead(fields: ForwardFields, model: ModelHandle): NativeHead | undefined {
  const { head } = fields;
  if (head === undefined) return undefined;
  if (!Head.is(head)) throw expected("a Head that loadHead gave", "options.head", head);
  for (const name of ["positions", "tokens", "topK"] as const) {
    if (fields[name] === undefined) continue;
    throw expected("nothing, as options.head leaves no logits to select from,", `options.${name}`, fields[name]);
  }
  return head.nativeFor(model);
}
