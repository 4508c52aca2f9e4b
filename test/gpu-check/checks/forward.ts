// Compares forward passes of every shape, padded and not, with Hugging Face's.
import { type Agreement, agreementOf, merge } from "#lib/cli/commands/agreement.js";
import { SHAPES } from "../../parity/cases.js";
import { type ReferenceForward, takeFloats } from "../../parity/comparing.js";
import { testDevice } from "../../parity/models.js";

import { judge, largestOf } from "./judging.js";
import type { Finding, Settings } from "./settings.js";
import { eachSubject, inputsOf, type Subject, THREADS } from "./subject.js";

/** One finding for each model. */
export async function* forward(settings: Settings): AsyncIterable<Finding> {
  for await (const subject of eachSubject(settings)) {
    const agreements: Agreement[] = [];
    let largest = 0;
    for (const shape of SHAPES) {
      const { source, decoderInputIds } = inputsOf(subject, shape);
      const expected = await askForward(subject, { ...source, decoderInputIds });
      const { logits } = await subject.t5.forward({ ...source, decoderInputIds });
      agreements.push(agreementOf(expected, logits.data, subject.vocabSize));
      largest = Math.max(largest, largestOf(expected));
      logits.dispose();
    }
    const { measured, ...judged } = judge(subject.name, merge(agreements), largest, {
      ...settings,
      device: testDevice,
    });
    const equal = agreements.filter(({ isBitwiseEqual }) => isBitwiseEqual).length;
    yield { ...judged, measured: { ...measured, "bitwise equal": `${equal} of ${agreements.length} shapes` } };
  }
}

/** The reference's logits. */
export async function askForward({ name, reference }: Subject, input: object): Promise<Float32Array> {
  const { logits } = await reference.request<ReferenceForward>("forward", { model: name, threads: THREADS, ...input });
  return takeFloats(reference, logits);
}
