// Embeds texts.
import type { EmbedOptions } from "torch-t5";
import type { ModelOf } from "../models/registry.js";
import type { CallContext } from "./call.js";
import { countTexts, sum } from "./limits.js";

export interface EmbedRequest {
  readonly model: ModelOf<"encoder" | "generation">;
  readonly texts: readonly string[];
  readonly options: EmbedOptions;
  /** The maximum number of tokens of a text, of which the rest is removed. */
  readonly truncate?: number | undefined;
}

export interface Embedded {
  readonly vectors: readonly Float32Array[];
  /** The number of tokens of all texts. */
  readonly tokens: number;
}

/** Rejects with ERR_LIMIT, and as `embed` does. */
export async function embed(
  { model: { t5, name }, texts, options, truncate }: EmbedRequest,
  { limits, signal, countTokens }: CallContext,
): Promise<Embedded> {
  const tokens = sum(await countTexts(t5, texts, limits, "inputs", truncate));
  countTokens(name, "source", tokens);
  const source = { text: texts, ...(truncate !== undefined && { maxLength: truncate }) };
  const embeddings = await t5.embed(source, { ...options, signal });
  const vectors = texts.map((_, row) => embeddings.row(row).slice());
  embeddings.dispose();
  return { vectors, tokens };
}
