// Classifies texts.
import type { LabelScore, T5ForSequenceClassification } from "torch-t5";
import type { CallContext } from "./call.js";
import { countTexts, sum } from "./limits.js";

export interface ClassifyRequest {
  readonly model: string;
  readonly t5: T5ForSequenceClassification;
  readonly texts: readonly string[];
  /** The logits instead of the probabilities. */
  readonly isRaw: boolean;
}

/** The labels of each text, the highest score first. Rejects with ERR_LIMIT, and as `classify` does. */
export async function classify(
  { model, t5, texts, isRaw }: ClassifyRequest,
  { limits, signal, countTokens }: CallContext,
): Promise<readonly (readonly LabelScore[])[]> {
  countTokens(model, "source", sum(await countTexts(t5, texts, limits, "inputs")));
  return t5.classify(texts, { signal, ...(isRaw && { functionToApply: "none" as const }) });
}
