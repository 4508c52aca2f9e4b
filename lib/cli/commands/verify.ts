// `torch-t5 verify`: the probes of an exported directory, run again and compared with what Hugging Face gave for them.
import { type Precision, readManifest, T5ForConditionalGeneration } from "../../index.js";
import type { StoredTensor } from "../jsonl/safetensors.js";
import { type Command, EXIT, loadOptions, onlyPositional, parse, sizeOption, UsageError } from "../terminal/command.js";
import { print } from "../terminal/output.js";
import { type Agreement, agreementOf, merge } from "./agreement.js";
import { type Probe, readProbes } from "./probes.js";

const DEFAULT_TOLERANCE = 1e-4;
const DEFAULT_TOLERANCES: Readonly<Record<Precision, number | undefined>> = {
  exact: DEFAULT_TOLERANCE,
  float32: DEFAULT_TOLERANCE,
  bfloat16: undefined,
  int8: undefined,
};

export const verifyCommand: Command = {
  name: "verify",
  summary: "Compare a model's logits with those that Hugging Face gave at its export",
  help: `torch-t5 verify [options] <directory>

Checks every file of an exported directory against its manifest, then runs the probes in it with the number of threads that
their logits were computed with, and says for each "bitwise equal", or how far the logits are from Hugging Face's: the largest
and the mean difference, the share of positions with the same best token (top-1 agreement), and the KL divergence of Hugging
Face's distribution from the one that was computed, in nats per position.

  <directory>           an exported model
  --precision <name>    exact (default), float32, bfloat16 or int8
  --tolerance <number>  the largest difference that passes (default: ${DEFAULT_TOLERANCE}, and none for bfloat16 and int8): on
                        another model of CPU, PyTorch itself rounds differently
  --exact               only bitwise equality passes
  --max-kl <number>     the largest KL divergence of a position that passes (default: any)
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
      tolerance: sizeOption(values.tolerance, "--tolerance") ?? DEFAULT_TOLERANCES[precision],
      maxKl: sizeOption(values["max-kl"], "--max-kl"),
    };
    const { intraOpThreads } = await readManifest(directory);
    await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device, precision, intraOpThreads });
    print(`${directory}: every file is as its manifest says; ${t5.device}, ${t5.precision}, ${intraOpThreads} threads`);
    const agreements: Agreement[] = [];
    for (const probe of await readProbes(directory)) {
      const agreement = await compare(t5, probe);
      agreements.push(agreement);
      const shape = (ids: StoredTensor) => `[${ids.shape.join(", ")}]`;
      const said = agreement.isBitwiseEqual ? "bitwise equal" : tell(agreement);
      print(`${probe.name}: encoder ${shape(probe.inputIds)}, decoder ${shape(probe.decoderInputIds)}: ${said}`);
    }
    return conclude(agreements, limits);
  },
};

/** What passes; undefined: anything. */
interface Limits {
  readonly isExact: boolean;
  readonly tolerance: number | undefined;
  readonly maxKl: number | undefined;
}

async function compare(t5: T5ForConditionalGeneration, { logits: want, ...input }: Probe): Promise<Agreement> {
  const { inputIds, attentionMask, decoderInputIds } = input;
  const { logits } = await t5.forward({ inputIds, attentionMask, decoderInputIds });
  return agreementOf(want.data, logits.data, t5.config.vocabSize);
}

function conclude(agreements: readonly Agreement[], { isExact, tolerance, maxKl }: Limits): number {
  const all = merge(agreements);
  if (all.isBitwiseEqual) {
    print(`All ${agreements.length} probes are bitwise equal to Hugging Face's.`);
    return EXIT.ok;
  }
  print(`All ${all.positions} positions: ${tell(all)}`);
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

function tell({ largestDifference, meanDifference, top1, meanDivergence, largestDivergence }: Agreement): string {
  const short = (value: number) => value.toExponential(2);
  return [
    `largest difference ${short(largestDifference)}`,
    `mean ${short(meanDifference)}`,
    `top-1 agreement ${(100 * top1).toFixed(2)} %`,
    `KL divergence mean ${short(meanDivergence)}`,
    `largest ${short(largestDivergence)}`,
  ].join(", ");
}
