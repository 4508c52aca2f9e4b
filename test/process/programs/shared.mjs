// For the programs of these tests: the embedded model, a short call and a long one.
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const LONG_BATCH = 48;
const LONG_LENGTH = 400;

/** The embedded model on the CPU. */
export const load = (options = {}) =>
  T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1, ...options });

/** A request of a few milliseconds. */
export const short = { inputIds: [[5, 6, 7, 8, 1]], decoderInputIds: [[0, 9, 10]] };

/** A request of about a second. */
export const long = {
  inputIds: Array.from({ length: LONG_BATCH }, () => Array.from({ length: LONG_LENGTH }, (_, i) => 3 + (i % 100))),
  decoderInputIds: Array.from({ length: LONG_BATCH }, () => Array.from({ length: 64 }, (_, i) => 3 + (i % 50))),
};
