// `torch-t5 verify`: computes the outputs of an exported model's probes again, and compares them with Hugging Face's.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import {
  exportCommand,
  type LoadOptions,
  type Precision,
  readKind,
  readSafetensors,
  type StoredTensor,
  T5EncoderModel,
  T5ForConditionalGeneration,
  T5ForSequenceClassification,
  T5ForTokenClassification,
} from "../../index.js";
import { nonNegativeOption, onlyPositional, parse } from "../terminal/arguments.js";
import { type Command, EXIT, UsageError } from "../terminal/command.js";
import { modelDirectory } from "../terminal/download.js";
import { loadOptions, precisionHelp } from "../terminal/model.js";
import { print } from "../terminal/output.js";
import { type Agreement, agreementOf, type Difference, differenceOf, merge, mergeDifferences } from "./agreement.js";
import { describeCudaSettings } from "./cuda-settings.js";

type Ids = StoredTensor<BigInt64Array>;

/** An input that the exporter has stored in the directory, and the output that Hugging Face computed for it. */
interface Probe {
  readonly name: string;
  /** One of the inputs, by its name in parity.safetensors. */
  readonly ids: (name: string) => Ids;
  /**
   * Logits: `[batch, targetLength, vocabSize]`, of a classifier `[batch, numLabels]` or `[batch, sourceLength, numLabels]`.
   * Of an encoder its last hidden state, `[batch, sourceLength, dModel]`.
   */
  readonly output: StoredTensor<Float32Array>;
}

/** A loaded model of some kind. */
interface Verifiable extends AsyncDisposable {
  readonly device: string;
  readonly precision: Precision;
}

/** How the probes of one kind of model are compared. */
interface Verification<Model extends Verifiable, Compared extends Difference> {
  /** The names in parity.safetensors of the inputs whose shapes are printed. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The name of the probes' output in parity.safetensors. */
  readonly output: string;
  /** One number of it, for messages. */
  readonly unit: string;
  load(directory: string, options: LoadOptions): Promise<Model>;
  compare(model: Model, probe: Probe): Promise<Compared>;
  merge(compared: readonly Compared[]): Compared;
}

const GENERATION: Verification<T5ForConditionalGeneration, Agreement> = {
  inputs: { encoder: "input_ids", decoder: "decoder_input_ids" },
  output: "logits",
  unit: "logit",
  load: (directory, options) => T5ForConditionalGeneration.fromPretrained(directory, options),
  async compare(model, probe) {
    const { logits } = await model.forward({ ...sourceOf(probe), decoderInputIds: probe.ids("decoder_input_ids") });
    return agreementOf(probe.output.data, logits.data, model.config.vocabSize);
  },
  merge,
};

const ENCODER: Verification<T5EncoderModel, Difference> = {
  inputs: { encoder: "input_ids" },
  output: "last_hidden_state",
  unit: "state",
  load: (directory, options) => T5EncoderModel.fromPretrained(directory, options),
  async compare(model, probe) {
    const { lastHiddenState } = await model.forward(sourceOf(probe));
    const { dModel } = model.config;
    return differenceOf(...withoutPadding(probe, lastHiddenState.data, dModel), dModel);
  },
  merge: mergeDifferences,
};

const SEQUENCE_CLASSIFICATION: Verification<T5ForSequenceClassification, Agreement> = {
  inputs: { encoder: "input_ids" },
  output: "logits",
  unit: "logit",
  load: (directory, options) => T5ForSequenceClassification.fromPretrained(directory, options),
  async compare(model, probe) {
    const { logits } = await model.forward(sourceOf(probe));
    return agreementOf(probe.output.data, logits.data, model.config.numLabels);
  },
  merge,
};

const TOKEN_CLASSIFICATION: Verification<T5ForTokenClassification, Agreement> = {
  ...SEQUENCE_CLASSIFICATION,
  load: (directory, options) => T5ForTokenClassification.fromPretrained(directory, options),
  async compare(model, probe) {
    const { logits } = await model.forward(sourceOf(probe));
    const { numLabels } = model.config;
    return agreementOf(...withoutPadding(probe, logits.data, numLabels), numLabels);
  },
};

/** The source of a probe. */
function sourceOf({ ids }: Probe): { readonly inputIds: Ids; readonly attentionMask: Ids } {
  return { inputIds: ids("input_ids"), attentionMask: ids("attention_mask") };
}

/**
 * Of a probe's output and of the computed one, the numbers of the positions that the mask keeps, `width` each. Only
 * "exact" computes those of padding.
 */
function withoutPadding(
  { ids, output }: Probe,
  computed: Float32Array,
  width: number,
): readonly [Float32Array, Float32Array] {
  const { data: mask } = ids("attention_mask");
  const kept = (numbers: Float32Array) => numbers.filter((_, at) => mask[Math.floor(at / width)] === 1n);
  return [kept(output.data), kept(computed)];
}

/** What passes. Undefined stands for no limit. */
interface Limits {
  readonly isExact: boolean;
  readonly tolerance: number | undefined;
  readonly maxKl: number | undefined;
}

const PROBES = "parity.safetensors";
const DEFAULT_TOLERANCE = 1e-4;
const DEFAULT_TOLERANCES: Readonly<Record<Precision, number | undefined>> = {
  exact: DEFAULT_TOLERANCE,
  float32: DEFAULT_TOLERANCE,
  bfloat16: undefined,
  int8: undefined,
};

export const verifyCommand: Command = {
  name: "verify",
  summary: "Compare a model's outputs with those that Hugging Face computed when it was exported",
  help: `torch-t5 verify [options] <model>

Checks every file of an exported directory against its manifest, then computes the logits of the probes in it, with
the number of threads that Hugging Face used. Prints for each probe "bitwise equal", or how far its logits are from
Hugging Face's: the largest and the mean difference, the share of positions with the same best token (top-1
agreement), and the KL divergence of Hugging Face's distribution from the computed one, in nats per position.
Of a classifier, the logits of the labels are compared. Of an encoder, the last hidden states are compared, by their
largest and mean difference. On CUDA, also prints the environment variables that change bits there.

A Hugging Face directory is compared only where it has such probes. Otherwise verify prints what it can't know, and ends
with exit code 1.

  <model>               an export or a Hugging Face directory, or a name on the Hugging Face hub
  --revision <name>     a branch, tag or commit of a model on the hub (default: main)
${precisionHelp}
  --tolerance <number>  the maximum difference (default: ${DEFAULT_TOLERANCE}, or no limit for bfloat16 and int8); PyTorch itself
                        rounds differently on another model of CPU
  --exact               require bitwise equality
  --max-kl <number>     the maximum KL divergence of a position (default: no limit); not of an encoder
  --device <device>     auto, cpu, cuda or cuda:<number> (default: cpu)`,

  async run(args) {
    const { values, positionals } = parse(args, {
      precision: { type: "string" },
      tolerance: { type: "string" },
      exact: { type: "boolean" },
      "max-kl": { type: "string" },
      device: { type: "string" },
      revision: { type: "string" },
    });
    const model = onlyPositional(positionals, "model");
    const given = loadOptions(values);
    const tolerance = nonNegativeOption(values.tolerance, "tolerance");
    const maxKl = nonNegativeOption(values["max-kl"], "max-kl");
    if (values.exact) checkExact(given.precision);
    const directory = await modelDirectory(model, values.revision);
    const { kind, manifest } = await readKind(directory);
    const { device = "cpu", precision = manifest === undefined ? "float32" : "exact" } = given;
    if (values.exact) checkExact(precision);
    const isExact = values.exact ?? false;
    const limits = { isExact, tolerance: tolerance ?? DEFAULT_TOLERANCES[precision], maxKl };
    const verified = {
      directory,
      load: { device, precision, intraOpThreads: manifest?.intraOpThreads },
      checked: manifest === undefined ? "a Hugging Face directory, without hashes" : "every file matches its manifest",
    };
    switch (kind) {
      case "generation":
        return verify(GENERATION, verified, limits);
      case "sequenceClassification":
        return verify(SEQUENCE_CLASSIFICATION, verified, limits);
      case "tokenClassification":
        return verify(TOKEN_CLASSIFICATION, verified, limits);
      case "encoder":
        break;
    }
    if (limits.maxKl !== undefined) {
      const architecture = manifest?.architecture ?? "an encoder";
      throw new UsageError(`Expected no --max-kl for ${architecture}, which has no logits, but received it`);
    }
    return verify(ENCODER, verified, limits);
  },
};

/** Throws UsageError for a precision that can't be bitwise equal. */
function checkExact(precision: Precision | undefined): void {
  if (precision === undefined || precision === "exact") return;
  throw new UsageError(`Expected no --exact with --precision ${precision} but received both`);
}

/** What is verified, and what has been found out about it already. */
interface VerifiedDirectory {
  readonly directory: string;
  readonly load: LoadOptions;
  readonly checked: string;
}

/** Compares every probe, and prints how they compare. Returns the exit code. */
async function verify<Model extends Verifiable, Compared extends Difference>(
  verification: Verification<Model, Compared>,
  { directory, load, checked }: VerifiedDirectory,
  limits: Limits,
): Promise<number> {
  await using model = await verification.load(directory, load);
  const { device, precision } = model;
  const threads = load.intraOpThreads === undefined ? "" : `, ${load.intraOpThreads} threads`;
  print(`${directory}: ${checked}; ${device}, ${precision}${threads}`);
  if (device !== "cpu") print(describeCudaSettings(env));
  if (!existsSync(join(directory, PROBES))) {
    print(`Not verified: it loads, and has every weight that its config.json describes, but no probes (${PROBES}).
Nothing here tells whether its bytes are the published ones, and how far its ${verification.unit}s are from Hugging Face's.
To know both, export it, which compares with Hugging Face bit for bit, and verify what the export writes:
  ${exportCommand(directory)}`);
    return EXIT.failure;
  }
  const compared: Compared[] = [];
  for (const probe of await readProbes(directory, verification.output)) {
    const difference = await verification.compare(model, probe);
    compared.push(difference);
    const comparison = difference.isBitwiseEqual ? "bitwise equal" : format(difference);
    const inputs = Object.entries(verification.inputs).map(
      ([name, ids]) => `${name} [${probe.ids(ids).shape.join(", ")}]`,
    );
    print(`${probe.name}: ${inputs.join(", ")}: ${comparison}`);
  }
  return conclude(verification.merge(compared), compared.length, verification.unit, limits);
}

/** Reads every probe of parity.safetensors. Rejects where there is none. */
async function readProbes(directory: string, outputName: string): Promise<readonly Probe[]> {
  const tensors = await readSafetensors(join(directory, PROBES));
  const ids = (name: string): Ids => {
    const { data, shape } = tensors.get(name) ?? {};
    if (data instanceof BigInt64Array && shape !== undefined) return { data, shape };
    throw new Error(`Expected int64 ids for ${name} in parity.safetensors but found none`);
  };
  const probes: Probe[] = [];
  for (let index = 0; ; index++) {
    const name = `probe.${index}`;
    const { data, shape } = tensors.get(`${name}.${outputName}`) ?? {};
    if (!(data instanceof Float32Array) || shape === undefined) break;
    probes.push({ name, ids: (input) => ids(`${name}.${input}`), output: { data, shape } });
  }
  if (probes.length === 0) throw new Error(`Expected probes in parity.safetensors of ${directory} but found none`);
  return probes;
}

/** Prints the result over all probes. Returns the exit code. */
function conclude(all: Difference | Agreement, count: number, unit: string, limits: Limits): number {
  const { isExact, tolerance, maxKl } = limits;
  if (all.isBitwiseEqual) {
    print(`All ${count} probes are bitwise equal to Hugging Face's.`);
    return EXIT.ok;
  }
  print(`All ${all.positions} positions: ${format(all)}`);
  const failures = [
    ...(Number.isFinite(all.largestDifference) ? [] : [`a ${unit} is not a finite number`]),
    ...(isExact ? ["not every bit is the same"] : []),
    ...exceeding("difference", all.largestDifference, tolerance),
    ...("largestDivergence" in all ? exceeding("KL divergence", all.largestDivergence, maxKl) : []),
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

function format(compared: Difference | Agreement): string {
  const short = (value: number) => value.toExponential(2);
  const difference = `largest difference ${short(compared.largestDifference)}, mean ${short(compared.meanDifference)}`;
  if (!("top1" in compared)) return difference;
  const { top1, meanDivergence, largestDivergence } = compared;
  const divergence = `KL divergence mean ${short(meanDivergence)}, largest ${short(largestDivergence)}`;
  return `${difference}, top-1 agreement ${(100 * top1).toFixed(2)} %, ${divergence}`;
}
