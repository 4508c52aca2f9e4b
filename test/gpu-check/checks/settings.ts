// What a check is asked for, and what it tells.
import type { Precision } from "torch-t5";

/** The JSON that a check is started with. */
export interface Settings {
  /** Names of models/demo and of test/parity/models.ts's families. */
  readonly models: readonly string[];
  /** Where the families' exports are, each as `<family>-exported`. */
  readonly directory: string;
  readonly precision: Precision;
  /** The largest difference of float32 logits, where none is larger than `LOGITS_OF` in size. */
  readonly tolerance: number;
  /** A file of test/parity, and a regular expression of its tests' names. */
  readonly spec?: string;
  readonly grep?: string;
}

/** One thing that was looked at. */
export interface Finding {
  readonly subject: string;
  readonly passed: boolean;
  /** Numbers, or words, under the heads of the report's columns. */
  readonly measured: Readonly<Record<string, string | number>>;
}

export type Check = (settings: Settings) => AsyncIterable<Finding>;
