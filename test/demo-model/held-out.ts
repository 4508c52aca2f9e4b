// Inputs that are held out from training, drawn by scripts/train-demo, with the ids of Hugging Face's tokenizer.
import { readFileSync } from "node:fs";

export interface HeldOut {
  readonly task: string;
  readonly input: string;
  /** The right answer. */
  readonly target: string;
  /** Hugging Face's ids of the input. */
  readonly inputIds: readonly number[];
}

export const TASKS = ["spell number", "date to iso", "relevance"] as const;

/** Held-out inputs of every task. */
export const heldOut: readonly HeldOut[] = readFileSync(new URL("held-out.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as HeldOut);

/** The held-out inputs of one task. */
export function heldOutOf(task: string): readonly HeldOut[] {
  return heldOut.filter((example) => example.task === task);
}
