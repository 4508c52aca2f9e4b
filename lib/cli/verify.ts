// `torch-t5 verify`: the probes of an exported directory, run again and compared with what Hugging Face gave for them.
import { join } from "node:path";
import { readManifest, T5ForConditionalGeneration } from "../index.js";
import { type Command, EXIT, onlyPositional, parse, UsageError } from "./command.js";
import { print } from "./output.js";
import { readSafetensors, type StoredTensor } from "./safetensors.js";

const DEFAULT_TOLERANCE = 1e-4;

interface Probe {
  readonly name: string;
  readonly inputIds: StoredTensor<BigInt64Array>;
  readonly attentionMask: StoredTensor<BigInt64Array>;
  readonly decoderInputIds: StoredTensor<BigInt64Array>;
  readonly logits: StoredTensor<Float32Array>;
}

export const verifyCommand: Command = {
  name: "verify",
  summary: "Compare a model's logits with those that Hugging Face gave at its export",
  help: `torch-t5 verify [options] <directory>

Checks every file of an exported directory against its manifest, then runs the probes in it with the number of threads that
their logits were computed with, and says for each "bitwise equal" or the largest difference.

  <directory>           an exported model
  --tolerance <number>  the largest difference that passes (default: ${DEFAULT_TOLERANCE}): on another model of CPU, PyTorch itself
                        rounds differently
  --exact               only bitwise equality passes
  --device <device>     auto, cpu, cuda or cuda:<number> (default: cpu)`,

  async run(args) {
    const { values, positionals } = parse(args, {
      tolerance: { type: "string" },
      exact: { type: "boolean" },
      device: { type: "string" },
    });
    const directory = onlyPositional(positionals, "directory");
    const tolerance = values.exact ? 0 : readTolerance(values.tolerance);
    const manifest = await readManifest(directory);
    const { intraOpThreads } = manifest;
    const device = (values.device ?? "cpu") as "cpu";
    const t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device, intraOpThreads });
    print(`${directory}: every file is as its manifest says; ${t5.device}, ${intraOpThreads} threads`);
    const differences: number[] = [];
    for (const probe of await readProbes(directory)) {
      const difference = await compare(t5, probe);
      differences.push(difference);
      const shape = (ids: StoredTensor) => `[${ids.shape.join(", ")}]`;
      const said = difference === 0 ? "bitwise equal" : `largest difference ${difference.toExponential(2)}`;
      print(`${probe.name}: encoder ${shape(probe.inputIds)}, decoder ${shape(probe.decoderInputIds)}: ${said}`);
    }
    await t5.dispose();
    return conclude(differences, tolerance);
  },
};

function conclude(differences: readonly number[], tolerance: number): number {
  const largest = Math.max(...differences);
  if (largest === 0) {
    print(`All ${differences.length} probes are bitwise equal to Hugging Face's.`);
    return EXIT.ok;
  }
  // Also false for NaN, which stands for logits of another shape or that aren't numbers.
  if (largest <= tolerance) {
    print(`All probes are within ${tolerance}: the rounding of another CPU than the export's.`);
    return EXIT.ok;
  }
  print(`Not equal: the largest difference is ${largest.toExponential(2)}, more than ${tolerance}.`);
  return EXIT.failure;
}

function readTolerance(value: string | undefined): number {
  const tolerance = value === undefined ? DEFAULT_TOLERANCE : Number(value);
  if (value !== "" && tolerance >= 0) return tolerance;
  throw new UsageError(`Expected a number of at least 0 for --tolerance but received ${JSON.stringify(value)}`);
}

async function readProbes(directory: string): Promise<readonly Probe[]> {
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

/** The largest difference from a probe's logits; 0 only if every bit is the same, NaN where they can't be compared. */
async function compare(t5: T5ForConditionalGeneration, { logits: want, ...input }: Probe): Promise<number> {
  const { inputIds, attentionMask, decoderInputIds } = input;
  const { logits } = await t5.forward({ inputIds, attentionMask, decoderInputIds });
  if (logits.data.length !== want.data.length) return Number.NaN;
  if (Buffer.from(logits.data.buffer).equals(Buffer.from(want.data.buffer))) return 0;
  const apart = want.data.map((value, index) => Math.abs(value - (logits.data[index] ?? Number.NaN)));
  // Zeros of another sign differ in their bits and nowhere else.
  return apart.reduce((most, difference) => Math.max(most, difference), Number.MIN_VALUE);
}
