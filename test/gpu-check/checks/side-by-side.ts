// Models on both devices in one process: libtorch's CUDA part is loaded after its CPU part is in use.
import { T5ForConditionalGeneration } from "torch-t5";
import { agreementOf, merge } from "#lib/cli/commands/agreement.js";
import { SHAPES } from "../../parity/cases.js";

import { testDevice } from "../../parity/models.js";
import { judge, largestOf } from "./judging.js";
import type { Finding, Settings } from "./settings.js";
import { directoryOf, inputsOf } from "./subject.js";

const ROUNDS = 10;

/** One finding for each model. */
export async function* sideBySide(settings: Settings): AsyncIterable<Finding> {
  for (const name of settings.models) {
    const load = (device: typeof testDevice) =>
      T5ForConditionalGeneration.fromPretrained(directoryOf(name, settings), { device, precision: settings.precision });
    await using onCpu = await load("cpu");
    const { vocabSize } = onCpu.config;
    const inputs = SHAPES.slice(0, ROUNDS).map((shape) => {
      const { source, decoderInputIds } = inputsOf({ vocabSize }, shape);
      return { ...source, decoderInputIds };
    });
    // The CPU computes before the other device is initialised.
    for (const input of inputs) await onCpu.forward(input);
    await using onDevice = await load(testDevice);
    const [expected = [], found = []] = await Promise.all(
      [onCpu, onDevice].map((t5) => Promise.all(inputs.map(async (input) => (await t5.forward(input)).logits.data))),
    );
    const agreements = expected.map((logits, at) => agreementOf(logits, found[at] ?? new Float32Array(), vocabSize));
    const largest = Math.max(...expected.map(largestOf));
    yield judge(name, merge(agreements), largest, { ...settings, device: testDevice });
  }
}
