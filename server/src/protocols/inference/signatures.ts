// The tensors that each kind of model reads and computes.
import type { LoadedModel } from "../../models/loading.js";

/** A tensor in a model's metadata. The length -1 is that of the request. */
export interface TensorSignature {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

export interface Signature {
  /** Either `text`, or the others, of which all but `input_ids` may be left out. */
  readonly inputs: readonly TensorSignature[];
  /** The first is computed unless a request names outputs. */
  readonly outputs: readonly TensorSignature[];
}

const ANY = -1;
const ids = (name: string): TensorSignature => ({ name, datatype: "INT64", shape: [ANY, ANY] });
const numbers = (name: string, ...shape: readonly number[]): TensorSignature => ({ name, datatype: "FP32", shape });

const SOURCE = [{ name: "text", datatype: "BYTES", shape: [ANY] }, ids("input_ids"), ids("attention_mask")];

export function signatureOf(model: LoadedModel): Signature {
  const { vocabSize, dModel } = model.t5.config;
  switch (model.kind) {
    case "generation":
      return {
        inputs: [...SOURCE, ids("decoder_input_ids")],
        outputs: [
          numbers("logits", ANY, ANY, vocabSize),
          numbers("values", ANY, ANY, ANY),
          { name: "indices", datatype: "INT32", shape: [ANY, ANY, ANY] },
          numbers("encoder_last_hidden_state", ANY, ANY, dModel),
          numbers("decoder_last_hidden_state", ANY, ANY, dModel),
        ],
      };
    case "encoder":
      return {
        inputs: SOURCE,
        outputs: [numbers("last_hidden_state", ANY, ANY, dModel), numbers("embeddings", ANY, ANY)],
      };
    case "sequenceClassification":
      return { inputs: SOURCE, outputs: [numbers("logits", ANY, model.t5.config.numLabels)] };
    case "tokenClassification":
      return { inputs: SOURCE, outputs: [numbers("logits", ANY, ANY, model.t5.config.numLabels)] };
  }
}
