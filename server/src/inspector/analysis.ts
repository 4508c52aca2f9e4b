// What the inspector shows: for each position of an answer its token among the best ones, and other answers.
import { setImmediate } from "node:timers/promises";
import { type T5ForConditionalGeneration, Tensor } from "torch-t5";
import type { CallContext } from "../calls/call.js";
import { limitedOptions } from "../calls/generation-options.js";
import { checkOutput, countTexts, sum, tokenizerOf } from "../calls/limits.js";
import type { ModelOf } from "../models/registry.js";
import { type NamedToken, namedTokens, pieceOf } from "../protocols/shared/pieces.js";

/** A token and how probable it is. */
export interface InspectedToken {
  readonly id: number;
  /** Its piece, with a space where a word begins. */
  readonly piece: string;
  readonly logit: number;
  /** The natural logarithm of its probability. */
  readonly logProb: number;
}

/** One position of the answer. */
export interface Position {
  readonly target: InspectedToken;
  /** How many tokens are more probable than that of the answer, plus 1. */
  readonly rank: number;
  /** Of the distribution, in bits. */
  readonly entropy: number;
  /** The most probable tokens, the best one first. */
  readonly top: readonly InspectedToken[];
}

export interface Analysis {
  readonly model: string;
  readonly precision: string;
  /** The numbers of decoder layers and of heads. */
  readonly layers: number;
  readonly heads: number;
  readonly source: readonly NamedToken[];
  /** The text whose tokens are the answer. */
  readonly target: string;
  /** Whether the model generated it. */
  readonly isGenerated: boolean;
  readonly positions: readonly Position[];
}

export interface AnalysisRequest {
  readonly text: string;
  /** Without it, the most probable answer is generated. */
  readonly target?: string | undefined;
  /** The number of best tokens at each position. */
  readonly topK: number;
}

/** Rejects with ERR_LIMIT, and as `forward` and `generate` do. */
export async function analyze(
  { t5, name }: ModelOf<"generation">,
  { text, target, topK }: AnalysisRequest,
  { limits, signal, countTokens }: CallContext,
): Promise<Analysis> {
  const tokenizer = tokenizerOf(t5);
  countTokens(name, "source", sum(await countTexts(t5, [text], limits, "text")));
  const options = limitedOptions(t5, {}, 1, limits);
  const answer = target ?? (await t5.generate(text, { ...options, signal })).texts?.[0] ?? "";
  const [length = 0] = await countTexts(t5, [answer], limits, "target");
  checkOutput(length * t5.config.vocabSize, limits);
  const { logits } = await t5.forward({ text, target: answer }, { signal });
  const positions: Position[] = [];
  for (const [position, id] of tokenizer.encode(answer).ids.entries()) {
    positions.push(positionOf(t5, logits.row(0, position), id, Math.min(topK, t5.config.vocabSize)));
    await setImmediate(); // a vocabulary takes a part of a millisecond
  }
  logits.dispose();
  const source = namedTokens(t5, tokenizer.encode(text).ids);
  const { precision, config } = t5;
  return {
    ...{ model: name, precision, layers: config.numDecoderLayers, heads: config.numHeads },
    ...{ source, target: answer, isGenerated: target === undefined, positions },
  };
}

function positionOf(t5: T5ForConditionalGeneration, logits: Float32Array, id: number, topK: number): Position {
  const max = logits.reduce((largest, logit) => Math.max(largest, logit), Number.NEGATIVE_INFINITY);
  const total = logits.reduce((mass, logit) => mass + Math.exp(logit - max), 0);
  const logTotal = max + Math.log(total);
  const own = logits[id] ?? Number.NaN;
  let rank = 1;
  let entropy = 0;
  for (const logit of logits) {
    if (logit > own) rank++;
    const logProb = logit - logTotal;
    if (logProb > Number.NEGATIVE_INFINITY) entropy -= (Math.exp(logProb) * logProb) / Math.LN2;
  }
  const tokenOf = (token: number): InspectedToken => {
    const logit = logits[token] ?? Number.NaN;
    return { id: token, piece: pieceOf(t5, token), logit, logProb: logit - logTotal };
  };
  const { indices } = new Tensor(logits, [logits.length]).topK(topK);
  return { target: tokenOf(id), rank, entropy, top: Array.from(indices.data, tokenOf) };
}

/** An answer of beam search. */
export interface Alternative {
  readonly text: string;
  /** The score of the sequence, which beam search compares. */
  readonly score: number;
  readonly tokens: readonly { readonly id: number; readonly piece: string; readonly logProb: number }[];
}

/** The best answers of beam search with `beams` beams. Rejects with ERR_LIMIT, and as `generate` does. */
export async function alternatives(
  { t5, name }: ModelOf<"generation">,
  { text, beams }: { readonly text: string; readonly beams: number },
  { limits, signal, countTokens }: CallContext,
): Promise<readonly Alternative[]> {
  countTokens(name, "source", sum(await countTexts(t5, [text], limits, "text")));
  const options = limitedOptions(t5, { numBeams: beams, numReturnSequences: beams }, 1, limits);
  const found = await t5.generate(text, { ...options, returnScores: true, signal });
  const { texts = [], sequences, transitionScores, sequenceScores, lengths } = found;
  return lengths.map((length, row) => {
    // The first id is the decoder's start.
    const ids = sequences.row(row).subarray(1, 1 + length);
    const logProbs = transitionScores.row(row);
    return {
      text: texts[row] ?? "",
      score: sequenceScores?.data[row] ?? Number.NaN,
      tokens: Array.from(ids, (id, index) => ({ id, piece: pieceOf(t5, id), logProb: logProbs[index] ?? Number.NaN })),
    };
  });
}
