// The probes of an exported directory: inputs, and the logits that Hugging Face gave for them.
import { join } from "node:path";
import { readSafetensors, type StoredTensor } from "../jsonl/safetensors.js";

export interface Probe {
  readonly name: string;
  readonly inputIds: StoredTensor<BigInt64Array>;
  readonly attentionMask: StoredTensor<BigInt64Array>;
  readonly decoderInputIds: StoredTensor<BigInt64Array>;
  /** `[batch, targetLength, vocabSize]` */
  readonly logits: StoredTensor<Float32Array>;
}

/** Every probe in parity.safetensors. Rejects where there is none. */
export async function readProbes(directory: string): Promise<readonly Probe[]> {
  const tensors = await readSafetensors(join(directory, "parity.safetensors"));
  const ids = (name: string): StoredTensor<BigInt64Array> => {
    const { data, shape } = tensors.get(name) ?? {};
    if (data instanceof BigInt64Array && shape !== undefined) return { data, shape };
    throw new Error(`Expected int64 ids for ${name} in parity.safetensors but found none`);
  };
  const probes: Probe[] = [];
  for (let index = 0; ; index++) {
    const name = `probe.${index}`;
    const { data, shape } = tensors.get(`${name}.logits`) ?? {};
    if (!(data instanceof Float32Array) || shape === undefined) break;
    probes.push({
      name,
      inputIds: ids(`${name}.input_ids`),
      attentionMask: ids(`${name}.attention_mask`),
      decoderInputIds: ids(`${name}.decoder_input_ids`),
      logits: { data, shape },
    });
  }
  if (probes.length === 0) throw new Error(`Expected probes in parity.safetensors of ${directory} but found none`);
  return probes;
}
