// Labels become what the decoder reads.
import type { IdMatrix } from "../tokenizer/padded-batch.js";

/** A position whose label the loss ignores, as PyTorch's `cross_entropy` has it. */
export const IGNORED_LABEL = -100;

/**
 * What the decoder is given so that position t predicts label t: each row moved right by one behind the start id, with
 * ignored labels as padding. Hugging Face's `T5ForConditionalGeneration._shift_right`.
 */
export function shiftRight(labels: IdMatrix, startId: number, paddingId: number): IdMatrix {
  const { batch, length } = labels;
  const data = new Int32Array(labels.data.length);
  data.set(labels.data.subarray(0, -1), 1);
  for (let row = 0; row < batch; row++) data[row * length] = startId;
  for (let index = 0; index < data.length; index++) if (data[index] === IGNORED_LABEL) data[index] = paddingId;
  return { batch, length, data };
}

/** The decoder's input where nothing is given: the start id, once per row. */
export function startRows(batch: number, startId: number): IdMatrix {
  return { batch, length: 1, data: new Int32Array(batch).fill(startId) };
}
