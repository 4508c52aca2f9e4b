// How text-generation-inference writes tokens and details.
import type { FinishReason, T5ForConditionalGeneration } from "torch-t5";
import type { GeneratedSequence, GeneratedToken } from "../../calls/generate.js";
import { pieceOf } from "../shared/pieces.js";

const REASONS: Readonly<Record<FinishReason, string>> = {
  eos: "eos_token",
  stop: "stop_sequence",
  length: "length",
  time: "length",
};

export const reasonOf = (reason: FinishReason) => REASONS[reason];

/** A token as that server writes it. A special token has its name as its text. */
export function tokenOf(t5: T5ForConditionalGeneration, { id, text, logProb }: GeneratedToken) {
  const special = text === "" && isSpecial(t5, id);
  return { id, text: special ? pieceOf(t5, id) : text, logprob: logProb ?? null, special };
}

/** The most probable tokens at a position. */
export function topTokensOf(t5: T5ForConditionalGeneration, { top = [] }: GeneratedToken) {
  return top.map(({ tokenId: id, logProb }) => ({
    id,
    text: pieceOf(t5, id),
    logprob: logProb,
    special: isSpecial(t5, id),
  }));
}

/** What `details` adds to an answer. */
export function detailsOf(
  t5: T5ForConditionalGeneration,
  { finishReason, length, tokens }: GeneratedSequence,
  options: { readonly seed: number | null; readonly hasPrefill: boolean; readonly topTokens: number },
) {
  const { decoderStartTokenId: id } = t5.config;
  return {
    finish_reason: reasonOf(finishReason),
    generated_tokens: length,
    seed: options.seed,
    prefill: options.hasPrefill ? [{ id, text: pieceOf(t5, id), logprob: null }] : [],
    tokens: tokens.map((token) => tokenOf(t5, token)),
    ...(options.topTokens > 0 && { top_tokens: tokens.map((token) => topTokensOf(t5, token)) }),
  };
}

function isSpecial({ config, tokenizer }: T5ForConditionalGeneration, id: number): boolean {
  if (id === config.eosTokenId || id === config.padTokenId) return true;
  return (
    tokenizer !== undefined &&
    tokenizer.decode([id], { skipSpecialTokens: true }) === "" &&
    tokenizer.decode([id]) !== ""
  );
}
