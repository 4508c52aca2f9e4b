// `torch-t5 verify`: computes the logits of an exported model's probes again, and compares them with Hugging Face's.
import { join } from "node:path";
import { env } from "node:process";
import { type Precision, readManifest, T5ForConditionalGeneration } from "../../index.js";
import { readSafetensors, type StoredTensor } from "../jsonl/safetensors.js";
import { nonNegativeOption, onlyPositional, parse } from "../terminal/arguments.js";
import { type Command, EXIT, UsageError } from "../terminal/command.js";
import { loadOptions, precisionHelp } from "../terminal/model.js";
import { print } from "../terminal/output.js";
import { type Agreement, agreementOf, merge } from "./agreement.js";
import { describeCudaSettings } from "./cuda-settings.js";

/** An input that the exporter has stored in the directory, and the logits that Hugging Face computed for it. */
interface Probe {
  readonly name: string;
  readonly inputIds: StoredTensor<BigInt64Array>;
  readonly attentionMask: StoredTensor<BigInt64Array>;
  readonly decoderInputIds: StoredTensor<BigInt64Array>;
  /** `[batch, targetLength, vocabSize]` */
  readonly logits: StoredTensor<Float32Array>;
}

/** What passes. Undefined stands for no limit. */
interface Limits {
  readonly isExact: boolean;
  readonly tolerance: number | undefined;
  readonly maxKl: number | undefined;
}

const DEFAULT_TOLERANCE = 1e-4;
const DEFAULT_TOLERANCES: Readonly<Record<Precision, number | undefined>> = {
  exact: DEFAULT_TOLERANCE,
  float32: DEFAULT_TOLERANCE,
  bfloat16: undefined,
  int8: undefined,
};

export const verifyCommand: Command = {
  name: "verify",
  summary: "Compare a model's logits with those that Hugging Face computed when it was exported",
  help: `torch-t5 verify [options] <directory>

Checks every file of an exported directory against its manifest, then computes the logits of the probes in it, with
the number of threads that Hugging Face used. Prints for each probe "bitwise equal", or how far its logits are from
Hugging Face's: the largest and the mean difference, the share of positions with the same best token (top-1
agreement), and the KL divergence of Hugging Face's distribution from the computed one, in nats per position.
On CUDA, also prints the environment variables that change bits there.

  <directory>           an exported model
${precisionHelp}
  --tolerance <number>  the maximum difference (default: ${DEFAULT_TOLERANCE}, or no limit for bfloat16 and int8); PyTorch itself
                        rounds differently on another model of CPU
  --exact               require bitwise equality
  --max-kl <number>     the maximum KL divergence of a position (default: no limit)
  --device <device>     auto, cpu, cuda or cuda:<number> (default: cpu)`,

  async run(args) {
    const { values, positionals } = parse(args, {
      precision: { type: "string" },
      tolerance: { type: "string" },
      exact: { type: "boolean" },
      "max-kl": { type: "string" },
      device: { type: "string" },
    });
    const directory = onlyPositional(positionals, "directory");
    const { device = "cpu", precision = "exact" } = loadOptions(values);
    if (values.exact && precision !== "exact") {
      throw new UsageError(`Expected no --exact with --precision ${precision} but received both`);
    }
    const limits = {
      isExact: values.exact ?? false,
      tolerance: nonNegativeOption(values.tolerance, "tolerance") ?? DEFAULT_TOLERANCES[precision],
      maxKl: nonNegativeOption(values["max-kl"], "max-kl"),
    };
    const { intraOpThreads } = await readManifest(directory);
    await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device, precision, intraOpThreads });
    print(`${directory}: every file matches its manifest; ${t5.device}, ${t5.precision}, ${intraOpThreads} threads`);
    if (t5.device !== "cpu") print(describeCudaSettings(env));
    const agreements: Agreement[] = [];
    for (const probe of await readProbes(directory)) {
      const agreement = await compare(t5, probe);
      agreements.push(agreement);
      const shape = (ids: StoredTensor) => `[${ids.shape.join(", ")}]`;
      const comparison = agreement.isBitwiseEqual ? "bitwise equal" : format(agreement);
      print(`${probe.name}: encoder ${shape(probe.inputIds)}, decoder ${shape(probe.decoderInputIds)}: ${comparison}`);
    }
    return conclude(agreements, limits);
  },
};

/** Reads every probe of parity.safetensors. Rejects where there is none. */
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

async function compare(t5: T5ForConditionalGeneration, { logits: expected, ...input }: Probe): Promise<Agreement> {
  const { inputIds, attentionMask, decoderInputIds } = input;
  const { logits } = await t5.forward({ inputIds, attentionMask, decoderInputIds });
  return agreementOf(expected.data, logits.data, t5.config.vocabSize);
}

/** Prints the result over all probes. Returns the exit code. */
function conclude(agreements: readonly Agreement[], { isExact, tolerance, maxKl }: Limits): number {
  const all = merge(agreements);
  if (all.isBitwiseEqual) {
    print(`All ${agreements.length} probes are bitwise equal to Hugging Face's.`);
    return EXIT.ok;
  }
  print(`All ${all.positions} positions: ${format(all)}`);
  const failures = [
    ...(Number.isFinite(all.largestDifference) ? [] : ["a logit is not a finite number"]),
    ...(isExact ? ["not every bit is the same"] : []),
    ...exceeding("difference", all.largestDifference, tolerance),
    ...exceeding("KL divergence", all.largestDivergence, maxKl),
  ];
  if (failures.length > 0) {
    print(`Not equal: ${failures.join("; ")}.`);
    return EXIT.failure;
  }
  if (tolerance !== undefined) print(`All probes are within ${tolerance}.`);
  if (maxKl !== undefined) print(`Every position's KL divergence is within ${maxKl}.`);
  return EXIT.ok;
}

function exceeding(what: string, largest: number, limit: number | undefined): readonly string[] {
  if (limit === undefined || largest <= limit) return [];
  return [`the largest ${what} is ${largest.toExponential(2)}, more than ${limit}`];
}

function format({ largestDifference, meanDifference, top1, meanDivergence, largestDivergence }: Agreement): string {
  const short = (value: number) => value.toExponential(2);
  return [
    `largest difference ${short(largestDifference)}`,
    `mean ${short(meanDifference)}`,
    `top-1 agreement ${(100 * top1).toFixed(2)} %`,
    `KL divergence mean ${short(meanDivergence)}`,
    `largest ${short(largestDivergence)}`,
  ].join(", ");
}
