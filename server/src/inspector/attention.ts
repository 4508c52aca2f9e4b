// Where the decoder attends in the source while it predicts each token of an answer: cross-attention.
import { setImmediate } from "node:timers/promises";
import type { Tensor } from "torch-t5";
import type { CallContext } from "../calls/call.js";
import { checkOutput, countTexts, tokenizerOf } from "../calls/limits.js";
import { expected } from "../errors/server-error.js";
import type { ModelOf } from "../models/registry.js";
import { type NamedToken, namedTokens } from "../protocols/shared/pieces.js";

export interface CrossAttention {
  readonly model: string;
  readonly source: readonly NamedToken[];
  readonly target: readonly NamedToken[];
  /** `[targetLength][sourceLength]`, of one layer and head or their mean; each row adds up to 1. */
  readonly weights: readonly (readonly number[])[];
}

export interface AttentionRequest {
  readonly text: string;
  readonly target: string;
  /** From 0. Without it, the mean of all. */
  readonly layer?: number | undefined;
  readonly head?: number | undefined;
}

/**
 * The cross-attention of the eager attention of Hugging Face. Rejects with ERR_LIMIT, with ERR_INVALID_ARGUMENT for a
 * model that does not return attention weights, and as `forward` does.
 */
export async function crossAttention(
  { t5, name }: ModelOf<"generation">,
  { text, target, layer, head }: AttentionRequest,
  { limits, signal, countTokens }: CallContext,
): Promise<CrossAttention> {
  const tokenizer = tokenizerOf(t5);
  const { numHeads, numLayers, numDecoderLayers } = t5.config;
  checkIndex(layer, numDecoderLayers, "layer");
  checkIndex(head, numHeads, "head");
  const [sourceLength = 0] = await countTexts(t5, [text], limits, "text");
  const [targetLength = 0] = await countTexts(t5, [target], limits, "target");
  const decoderPairs = targetLength * (targetLength + sourceLength) * numDecoderLayers;
  checkOutput((sourceLength ** 2 * numLayers + decoderPairs) * numHeads, limits);
  checkOutput(targetLength * sourceLength, limits, true);
  countTokens(name, "source", sourceLength);
  const outputs = await t5.forward({ text, target }, { outputAttentions: true, topK: 1, signal });
  const { crossAttentions, encoderAttentions, decoderAttentions, values, indices } = outputs;
  const layers = crossAttentions.filter((_, index) => layer === undefined || layer === index);
  const weights: (readonly number[])[] = [];
  for (let position = 0; position < targetLength; position++) {
    weights.push(meanRow(layers, head, position));
    await setImmediate(); // a row of a long source takes a part of a millisecond
  }
  for (const tensor of [...crossAttentions, ...encoderAttentions, ...decoderAttentions, values, indices]) {
    tensor.dispose();
  }
  const tokensOf = (each: string) => namedTokens(t5, tokenizer.encode(each).ids);
  return { model: name, source: tokensOf(text), target: tokensOf(target), weights };
}

function checkIndex(index: number | undefined, count: number, name: string): void {
  if (index !== undefined && index >= count) throw expected(`an integer below ${count}`, name, index);
}

/** The weights of one position, as the mean over some layers, and over one head or all: `[sourceLength]`. */
function meanRow(layers: readonly Tensor[], head: number | undefined, position: number): readonly number[] {
  const [, heads = 0, targetLength = 0, sourceLength = 0] = layers[0]?.shape ?? [];
  const chosen = head === undefined ? Array.from({ length: heads }, (_, index) => index) : [head];
  const count = layers.length * chosen.length;
  const row = new Array<number>(sourceLength).fill(0);
  for (const { data } of layers) {
    for (const each of chosen) {
      const start = (each * targetLength + position) * sourceLength;
      for (let source = 0; source < sourceLength; source++) {
        row[source] = (row[source] ?? 0) + (data[start + source] ?? 0) / count;
      }
    }
  }
  return row;
}
