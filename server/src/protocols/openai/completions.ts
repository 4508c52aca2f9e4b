// `/v1/completions` of OpenAI's API.
import { randomUUID } from "node:crypto";
import type { FinishReason, T5ForConditionalGeneration } from "torch-t5";
import {
  type GeneratedSequence,
  type GeneratedToken,
  type Generation,
  type Prompts,
  prepareGeneration,
} from "../../calls/generate.js";
import { sum } from "../../calls/limits.js";
import type { Service } from "../../production/service.js";
import { sendEvents } from "../shared/events.js";
import { pieceOf } from "../shared/pieces.js";
import { contextOf, type Http } from "../shared/plugin.js";
import { openAiError } from "./error-body.js";
import { type CompletionBody, CompletionSchema, optionsOf, stopsOf } from "./parameters.js";
import { StopText } from "./stop-text.js";

const REASONS: Readonly<Record<FinishReason, string>> = { eos: "stop", stop: "stop", length: "length", time: "length" };

/** The first properties of every answer. */
interface Head {
  readonly id: string;
  readonly object: "text_completion";
  readonly created: number;
  readonly model: string;
}

/** Adds the route. */
export function completionsRoute(http: Http, service: Service): void {
  const schema = { summary: "Completions", tags: ["OpenAI"], body: CompletionSchema };
  http.post("/v1/completions", { schema }, async (request, reply) => {
    const body = request.body as CompletionBody;
    const { t5, name: model } = service.models.ofKind(["generation"], body.model);
    const generation = await prepareGeneration(
      { model, t5, prompts: promptsOf(body), options: optionsOf(body), topTokens: body.logprobs ?? undefined },
      contextOf(request, service),
    );
    const created = Math.floor(Date.now() / 1000);
    const head: Head = { id: `cmpl-${randomUUID()}`, object: "text_completion", created, model };
    if (body.stream === true) {
      return sendEvents(reply, events(t5, body, generation, head), { error: openAiError, end: "[DONE]" });
    }
    const sequences = await generation.sequences();
    const choices = sequences.map((sequence, index) => choiceOf(t5, body, sequence, index));
    return { ...head, choices, usage: usageOf(generation, sum(sequences.map(({ length }) => length))) };
  });
}

function promptsOf({ prompt }: CompletionBody): Prompts {
  if (typeof prompt === "string") return { texts: [prompt] };
  if (isTexts(prompt)) return { texts: prompt };
  return { ids: isIds(prompt) ? [prompt] : (prompt as readonly (readonly number[])[]) };
}

type PromptList = Exclude<CompletionBody["prompt"], string>;

const isTexts = (prompt: PromptList): prompt is readonly string[] => typeof prompt[0] === "string";
const isIds = (prompt: PromptList): prompt is readonly number[] => typeof prompt[0] === "number";

function usageOf({ sourceTokens }: Generation, completion_tokens: number) {
  const prompt_tokens = sum(sourceTokens);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}

function choiceOf(t5: T5ForConditionalGeneration, body: CompletionBody, sequence: GeneratedSequence, index: number) {
  const text = new StopText(stopsOf(body));
  return {
    index,
    text: text.push(sequence.text) + text.end(),
    logprobs: body.logprobs == null ? null : logProbsOf(t5, sequence.tokens),
    finish_reason: REASONS[sequence.finishReason],
  };
}

/** The log-probabilities of tokens, whose texts begin at `offset` of the row's text. */
function logProbsOf(t5: T5ForConditionalGeneration, tokens: readonly GeneratedToken[], offset = 0) {
  let end = offset;
  const offsets = tokens.map(({ text }) => {
    const start = end;
    end += text.length;
    return start;
  });
  return {
    tokens: tokens.map(({ id }) => pieceOf(t5, id)),
    token_logprobs: tokens.map(({ logProb }) => logProb ?? null),
    top_logprobs: tokens.map(({ top = [] }) =>
      Object.fromEntries(top.map(({ tokenId, logProb }) => [pieceOf(t5, tokenId), logProb])),
    ),
    text_offset: offsets,
  };
}

async function* events(
  t5: T5ForConditionalGeneration,
  body: CompletionBody,
  generation: Generation,
  head: Head,
): AsyncGenerator<unknown, void> {
  const stops = stopsOf(body);
  const rows = new Map<number, { readonly text: StopText; offset: number }>();
  let count = 0;
  for await (const token of generation.tokens()) {
    count++;
    const { row, finishReason } = token;
    const state = rows.get(row) ?? { text: new StopText(stops), offset: 0 };
    rows.set(row, state);
    const text = state.text.push(token.text) + (finishReason === undefined ? "" : state.text.end());
    const logprobs = body.logprobs == null ? null : logProbsOf(t5, [token], state.offset);
    state.offset += token.text.length;
    const finish_reason = finishReason === undefined ? null : REASONS[finishReason];
    yield { ...head, choices: [{ index: row, text, logprobs, finish_reason }] };
  }
  if (body.stream_options?.include_usage === true) yield { ...head, choices: [], usage: usageOf(generation, count) };
}
