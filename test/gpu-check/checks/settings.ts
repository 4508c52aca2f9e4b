// The input and the output of a check.
import type { Precision } from "torch-t5";

/** The JSON argument of a check. */
export interface Settings {
  /** `demo`, and families of test/parity/models.ts. */
  readonly models: readonly string[];
  /** The directory of the families' exports, each named `<family>-exported`. */
  readonly directory: string;
  readonly precision: Precision;
  /** The largest difference of float32 logits up to `LOGITS_OF` in size; see judging.ts. */
  readonly tolerance: number;
  /** Whether the calls of many callers run together. */
  readonly batching?: boolean;
  /** NVIDIA's memory checker. */
  readonly checker?: string;
  /** A spec file of test/parity, and a regular expression of its tests' names. */
  readonly spec?: string;
  readonly grep?: string;
}

/** One result. */
export interface Finding {
  readonly subject: string;
  readonly passed: boolean;
  /** By the heading of the report's column. */
  readonly measured: Readonly<Record<string, string | number>>;
}

export type Check = (settings: Settings) => AsyncIterable<Finding>;
