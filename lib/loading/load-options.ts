// The options of `fromPretrained`, checked.
import { checkFlag, checkInteger, checkOptionalInteger, checkOptions, expected } from "../util/validation.js";

/** Where a model runs: "auto" is the first CUDA device if libtorch can use one, else the CPU. */
export type Device = "auto" | "cpu" | "cuda" | `cuda:${number}`;

/**
 * How a model computes. "exact": bitwise as Hugging Face does in float32. The others are those of the fused engine.
 * "float32": the same greedy tokens, logits within 1e-4; "bfloat16" and "int8": an error that `torch-t5 verify` measures.
 */
export type Precision = (typeof PRECISIONS)[number];

export interface LoadOptions {
  /** Default: "auto". */
  readonly device?: Device | undefined;
  /** Default: "exact". "int8" runs on the CPU only, and "auto" is the CPU for it. */
  readonly precision?: Precision | undefined;
  /**
   * Asks that a row's logits are bitwise the same whatever else is in its batch, and whatever its padding. On the CPU every
   * precision but "exact" has that anyway, and "auto" is the CPU for `true`. Refused for "exact", which follows Hugging
   * Face's bits, and for CUDA: there they depend on the batch.
   */
  readonly batchInvariant?: boolean | undefined;
  /** Threads that one operator uses. Default: PyTorch's own. */
  readonly intraOpThreads?: number | undefined;
  /** Threads that run operators side by side. Default: PyTorch's own. */
  readonly interOpThreads?: number | undefined;
  /** How many calls may wait; one more rejects with ERR_QUEUE_FULL. Default: no limit. */
  readonly maxQueueLength?: number | undefined;
}

/** Load options with their defaults; 0 stands for "PyTorch's own" and "no limit". */
export interface CheckedLoadOptions {
  readonly device: string;
  readonly precision: Precision;
  readonly intraOpThreads: number;
  readonly interOpThreads: number;
  readonly maxQueueLength: number;
}

export const PRECISIONS = ["exact", "float32", "bfloat16", "int8"] as const;
const PRECISION_NAMES = '"exact", "float32", "bfloat16" or "int8"';
const LOAD_OPTIONS = [
  "device",
  "precision",
  "batchInvariant",
  "intraOpThreads",
  "interOpThreads",
  "maxQueueLength",
] as const;
const DEVICE = /^(auto|cpu|cuda(:\d{1,4})?)$/;
const MOST_THREADS = 1024;

/** Throws ERR_INVALID_ARGUMENT. */
export function checkLoadOptions(value: unknown): CheckedLoadOptions {
  const given = checkOptions(value, "options", LOAD_OPTIONS);
  const {
    device = "auto",
    precision = "exact",
    batchInvariant,
    intraOpThreads,
    interOpThreads,
    maxQueueLength,
  } = given;
  if (typeof device !== "string" || !DEVICE.test(device)) {
    throw expected('"auto", "cpu", "cuda" or "cuda:<number>"', "options.device", device);
  }
  const known = PRECISIONS.find((candidate) => candidate === precision);
  if (known === undefined) throw expected(PRECISION_NAMES, "options.precision", precision);
  const isInvariant = checkFlag(batchInvariant, "options.batchInvariant");
  if (isInvariant && known === "exact") {
    const others = '"float32", "bfloat16" or "int8" with batchInvariant (the bits of "exact" depend on the batch)';
    throw expected(others, "options.precision", known);
  }
  if (isInvariant && device !== "auto" && device !== "cpu") {
    throw expected('"auto" or "cpu" with batchInvariant (bits on CUDA depend on the batch)', "options.device", device);
  }
  const threads = (count: unknown, name: string) =>
    count === undefined ? 0 : checkInteger(count, `options.${name}`, 1, MOST_THREADS);
  return {
    device: isInvariant ? "cpu" : device,
    precision: known,
    intraOpThreads: threads(intraOpThreads, "intraOpThreads"),
    interOpThreads: threads(interOpThreads, "interOpThreads"),
    maxQueueLength: checkOptionalInteger(maxQueueLength, "options.maxQueueLength", 1, 0),
  };
}
