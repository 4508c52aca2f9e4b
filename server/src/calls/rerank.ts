// Ranks documents by their relevance to a query.
import type { RankedDocument, RerankOptions, T5ForConditionalGeneration } from "torch-t5";
import type { CallContext } from "./call.js";
import { countTexts, sum } from "./limits.js";

export interface RerankRequest {
  readonly model: string;
  readonly t5: T5ForConditionalGeneration;
  readonly query: string;
  readonly documents: readonly string[];
  readonly options: RerankOptions;
  /** The maximum number of tokens of a prompt, of whose document the rest is removed. */
  readonly truncate?: number | undefined;
}

/** Rejects with ERR_LIMIT, and as `rerank` does. */
export async function rerank(
  { model, t5, query, documents, options, truncate }: RerankRequest,
  { limits, signal, countTokens }: CallContext,
): Promise<readonly RankedDocument[]> {
  await countTexts(t5, [query], limits, "query");
  countTokens(model, "source", sum(await countTexts(t5, documents, limits, "texts", truncate)));
  return t5.rerank(query, documents, {
    ...options,
    signal,
    ...(truncate !== undefined && { maxLength: truncate }),
  });
}
