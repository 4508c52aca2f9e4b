// What monoT5 and duoT5 share: the probability of one token against another as the first token of the answer.
import { anId, checkId } from "../inputs/ids.js";
import { encodeTexts } from "../inputs/source.js";
import type { NativeForwardRequest } from "../native/types.js";
import { T5Error } from "../util/errors.js";
import { logSumExp } from "../util/reductions.js";
import { expected, refused } from "../util/validation.js";
import type { Call, ModelHandle } from "./call.js";
import { type FittedPrompt, fitPrompt, type PromptMaker, type PromptMeter } from "./prompt.js";

/** How prompts are judged. */
export interface RelevancePlan {
  readonly prompt: PromptMaker;
  /** The ids of the irrelevant answer and of the relevant one. */
  readonly tokens: Int32Array;
  /** The maximum number of ids of a prompt, whose documents are truncated; undefined: no maximum. */
  readonly maxLength: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The documents of one prompt. */
export interface PromptDocuments {
  readonly documents: readonly string[];
  /** Names the documents in messages. */
  readonly name: string;
}

/** The answer to one prompt. */
export interface Judgement {
  /** The natural logarithm of the probability of the relevant answer against the irrelevant one. */
  readonly score: number;
  /** Whether each document was truncated. */
  readonly truncated: readonly boolean[];
}

/** A piece's name begins with the space that a text of the same word leaves out. */
const PIECE_SPACE = "▁";

/** Judges prompts in one forward pass. Rejects also with what the caller's template throws. */
export async function judge(
  call: Call,
  plan: RelevancePlan,
  items: readonly PromptDocuments[],
): Promise<readonly Judgement[]> {
  const { model } = call;
  const prompts = items.map((item) => promptOf(call, plan, item));
  const name = `the prompts from ${items[0]?.name} on`;
  const request = call.read(() => readRequest(prompts, plan.tokens, name, model));
  const { logits } = await call.run(plan.signal, (id) => model.native.forward({ id, ...request }));
  if (logits === undefined) {
    throw call.error(new T5Error("ERR_INTERNAL", "Expected logits for rerank but received none"));
  }
  const { data } = logits;
  const judgements = prompts.map(({ truncated }, row) => {
    const pair = data.subarray(2 * row, 2 * row + 2);
    return { score: (pair[1] ?? Number.NaN) - logSumExp(pair), truncated };
  });
  model.release(data.buffer);
  return judgements;
}

/**
 * The id of an answer: an id, the name of a piece (a text that begins with "▁"), or another text of one token. Throws
 * ERR_INVALID_ARGUMENT, ERR_TOKEN_OUT_OF_RANGE.
 */
export function readAnswer(token: unknown, name: string, model: ModelHandle): number {
  const { tokenizer } = model;
  const { vocabSize } = model.config;
  if (typeof token !== "string") {
    return checkId(token, name, vocabSize, `a text of one token or ${anId(vocabSize)}`);
  }
  if (tokenizer !== undefined && token.startsWith(PIECE_SPACE)) {
    const id = tokenizer.tokenToId(token);
    if (id !== undefined && id < vocabSize) return id;
    throw expected("a piece of the vocabulary", name, token);
  }
  const { inputIds } = encodeTexts(token, name, model, { addSpecialTokens: false });
  const [id] = inputIds;
  if (inputIds.length === 1 && id !== undefined) return id;
  const pieces = Array.from(inputIds.subarray(0, 4), (piece) => JSON.stringify(tokenizer?.idToToken(piece) ?? piece));
  const found = pieces.length === 0 ? "" : ` (${pieces.join(", ")}${inputIds.length > pieces.length ? ", ..." : ""})`;
  throw expected(`a text of one token, not of ${inputIds.length}${found},`, name, token);
}

function promptOf(
  call: Call,
  { prompt, maxLength }: RelevancePlan,
  { documents, name }: PromptDocuments,
): FittedPrompt {
  // Not within `call.read`: what the caller's template throws is the caller's error.
  const make = (parts: readonly string[]): string => {
    const made = prompt(parts);
    if (typeof made === "string") return made;
    throw call.error(expected("a string", `the prompt of ${name}`, made));
  };
  const { tokenizer } = call.model;
  if (maxLength === undefined || tokenizer === undefined) return { prompt: make(documents), truncated: [] };
  const meter: PromptMeter = {
    count: (text) => call.read(() => tokenizer.countTokens(text)),
    ends: (text) => {
      const { offsets } = call.read(() => tokenizer.encode(text, { addSpecialTokens: false }));
      return Array.from(offsets).filter((_, index) => index % 2 === 1);
    },
  };
  const fitted = fitPrompt(documents, make, meter, maxLength);
  if (fitted !== undefined) return fitted;
  const reason = `${maxLength}, which leaves no room for ${name}`;
  throw call.error(refused("more ids than the prompt has without its documents", "options.maxLength", reason));
}

function readRequest(
  prompts: readonly FittedPrompt[],
  tokens: Int32Array,
  name: string,
  model: ModelHandle,
): Omit<NativeForwardRequest, "id"> {
  const texts = prompts.map(({ prompt }) => prompt);
  const source = encodeTexts(texts, name, model);
  return {
    source,
    targetLength: 1,
    decoderInputIds: new Int32Array(source.batch).fill(model.config.decoderStartTokenId),
    labels: undefined,
    loss: false,
    positions: Int32Array.of(0),
    tokens,
    topK: 0,
    hiddenStates: false,
    head: undefined,
  };
}
