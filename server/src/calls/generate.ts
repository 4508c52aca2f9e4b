// Generates the sequences of a request: as a whole, or token by token.
import type { FinishReason, GenerateOptions, T5ForConditionalGeneration, TokenLogProb } from "torch-t5";
import { expected } from "../errors/server-error.js";
import type { CallContext } from "./call.js";
import { limitedOptions } from "./generation-options.js";
import { checkLength, checkRows, countTexts, sum } from "./limits.js";

/** A source of each sequence: texts, or rows of ids. */
export type Prompts = { readonly texts: readonly string[] } | { readonly ids: readonly (readonly number[])[] };

export interface GenerationRequest {
  readonly model: string;
  readonly t5: T5ForConditionalGeneration;
  readonly prompts: Prompts;
  readonly options: GenerateOptions;
  /** The maximum number of tokens of a text, of which the rest is removed. */
  readonly truncate?: number | undefined;
  /** The number of most probable tokens to return beside each token; undefined: no probabilities. */
  readonly topTokens?: number | undefined;
}

/** A token of a sequence. */
export interface GeneratedToken {
  /** The row: `numReturnSequences` rows of each source, in the order of the sources. */
  readonly row: number;
  readonly id: number;
  /** What the token adds to the text of its row. */
  readonly text: string;
  /** Of the last token of a row. */
  readonly finishReason: FinishReason | undefined;
  /** With `topTokens`: the log-probability of the token, before any processor, and the most probable tokens. */
  readonly logProb: number | undefined;
  readonly top: readonly TokenLogProb[] | undefined;
}

/** A sequence as a whole. */
export interface GeneratedSequence {
  readonly text: string;
  readonly finishReason: FinishReason;
  /** The number of generated tokens. */
  readonly length: number;
  /** With `topTokens`. */
  readonly tokens: readonly GeneratedToken[];
}

/** A generation that the limits allow. */
export interface Generation {
  /** The number of tokens of each source. */
  readonly sourceTokens: readonly number[];
  /** All sequences. */
  sequences(): Promise<readonly GeneratedSequence[]>;
  /** The tokens as they are generated. */
  tokens(): AsyncGenerator<GeneratedToken, void>;
}

/** Checks the limits. Rejects with ERR_LIMIT, ERR_INVALID_ARGUMENT. */
export async function prepareGeneration(request: GenerationRequest, context: CallContext): Promise<Generation> {
  const { t5, prompts, truncate, model } = request;
  const { limits, signal } = context;
  const sourceTokens = await countSources(request, context);
  const options = limitedOptions(t5, request.options, sourceTokens.length, limits);
  context.countTokens(model, "source", sum(sourceTokens));
  const source = sourceOf(t5, prompts, truncate);
  const countGenerated = (count: number) => context.countTokens(model, "generated", count);

  async function* tokens(): AsyncGenerator<GeneratedToken, void> {
    const { topTokens } = request;
    const logProbs = topTokens === undefined ? undefined : Math.min(topTokens, t5.config.vocabSize);
    for await (const token of t5.stream(source, { ...options, signal, logProbs })) {
      countGenerated(1);
      const { row, tokenId, text, finishReason, logProb, topLogProbs } = token;
      yield { row, id: tokenId, text, finishReason, logProb, top: topLogProbs };
    }
  }

  async function sequences(): Promise<readonly GeneratedSequence[]> {
    // Token by token, because each has a text.
    if (request.topTokens !== undefined) return collect(tokens());
    const { texts = [], finishReasons, lengths } = await t5.generate(source, { ...options, signal });
    countGenerated(sum([...lengths]));
    return finishReasons.map((finishReason, row) => ({
      text: texts[row] ?? "",
      finishReason,
      length: lengths[row] ?? 0,
      tokens: [],
    }));
  }

  return { sourceTokens, sequences, tokens };
}

async function countSources({ t5, prompts, truncate }: GenerationRequest, { limits }: CallContext) {
  if ("texts" in prompts) return countTexts(t5, prompts.texts, limits, "inputs", truncate);
  checkRows(prompts.ids.length, "prompts", limits);
  if (truncate !== undefined) throw expected("texts", "truncate", truncate);
  for (const [index, { length }] of prompts.ids.entries()) {
    if (length === 0) throw expected("at least one id", `prompts[${index}]`, length);
    checkLength(length, `prompts[${index}]`, limits);
  }
  return prompts.ids.map(({ length }) => length);
}

function sourceOf(t5: T5ForConditionalGeneration, prompts: Prompts, maxLength: number | undefined) {
  if ("texts" in prompts) return { text: prompts.texts, ...(maxLength !== undefined && { maxLength }) };
  const length = Math.max(...prompts.ids.map((row) => row.length));
  const padded = (row: readonly number[], padding: number) => [...row, ...Array(length - row.length).fill(padding)];
  return {
    inputIds: prompts.ids.map((row) => padded(row, t5.config.padTokenId)),
    attentionMask: prompts.ids.map((row) => padded(Array(row.length).fill(1), 0)),
  };
}

/** The sequences of a stream's tokens. */
async function collect(tokens: AsyncIterable<GeneratedToken>): Promise<readonly GeneratedSequence[]> {
  const rows: GeneratedToken[][] = [];
  for await (const token of tokens) {
    const row = rows[token.row] ?? [];
    rows[token.row] = row;
    row.push(token);
  }
  return rows.map((row) => ({
    text: row.map(({ text }) => text).join(""),
    finishReason: row.at(-1)?.finishReason ?? "length",
    length: row.length,
    tokens: row,
  }));
}
