// Scores given answers.
import type { ScoreOptions, T5ForConditionalGeneration, TargetScore } from "torch-t5";
import type { CallContext } from "./call.js";
import { checkLength, checkRows, countTexts, sum } from "./limits.js";

export interface ScoreRequest {
  readonly model: string;
  readonly t5: T5ForConditionalGeneration;
  readonly source: string;
  readonly targets: readonly string[] | readonly (readonly number[])[];
  readonly options: ScoreOptions;
  readonly truncate?: number | undefined;
}

/** Rejects with ERR_LIMIT, and as `score` does. */
export async function score(
  { model, t5, source, targets, options, truncate }: ScoreRequest,
  { limits, signal, countTokens }: CallContext,
): Promise<readonly TargetScore[]> {
  const [sourceTokens = 0] = await countTexts(t5, [source], limits, "source", truncate);
  if (targets.every((target) => typeof target === "string")) {
    countTokens(model, "source", sourceTokens + sum(await countTexts(t5, targets, limits, "targets")));
  } else {
    checkRows(targets.length, "targets", limits);
    for (const [index, { length }] of targets.entries()) checkLength(length, `targets[${index}]`, limits);
    countTokens(model, "source", sourceTokens + sum(targets.map(({ length }) => length)));
  }
  const input = { text: source, ...(truncate !== undefined && { maxLength: truncate }) };
  return t5.score(input, targets as readonly string[], { ...options, signal });
}
