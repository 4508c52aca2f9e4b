// What monoT5 and duoT5 share: the probability of one token against another as the first token of the answer.
import { anId, checkId } from "../inputs/ids.js";
import { encodeTexts, padIds, readTexts } from "../inputs/source.js";
import type { NativeForwardRequest } from "../native/types.js";
import type { PaddedBatch } from "../tokenizer/padded-batch.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import type { CallControl } from "../util/call-control.js";
import { T5Error } from "../util/errors.js";
import { logSumExp } from "../util/reductions.js";
import { finish, type Sliced } from "../util/slices.js";
import { expected, refused } from "../util/validation.js";
import type { Call, ModelHandle } from "./call.js";
import { type Prompter, shorten } from "./prompt.js";

/** How prompts are judged. */
export interface RelevancePlan {
  readonly prompter: Prompter;
  /** The ids of the irrelevant answer and of the relevant one. */
  readonly tokens: Int32Array;
  /** The maximum number of ids of a prompt, whose documents are truncated; undefined: no maximum. */
  readonly maxLength: number | undefined;
  readonly control: CallControl;
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

/** A prompt's ids, and which of its documents were truncated. */
interface EncodedPrompt {
  readonly ids: Int32Array;
  readonly truncated: readonly boolean[];
}

/** Several prompts. */
interface EncodedPrompts {
  readonly source: PaddedBatch;
  /** Of each prompt; empty where no document could be truncated. */
  readonly truncated: readonly (readonly boolean[])[];
}

/** The first character in the names of pieces that begin a word: it stands for a space. */
const PIECE_SPACE = "▁";

/** Judges prompts in one forward pass. Rejects also with what the caller's template throws. */
export async function judge(
  call: Call,
  plan: RelevancePlan,
  items: readonly PromptDocuments[],
): Promise<readonly Judgement[]> {
  const { model } = call;
  // Not within `call.read`: what the caller's template throws is the caller's error.
  const prompts = items.map((item) => plan.prompter.make(item.documents));
  const work = call.read(() => readPrompts(prompts, items, plan, model));
  let truncated: EncodedPrompts["truncated"] = [];
  const { logits } = await call.runSliced(plan.control, work, (scheduling, encoded) => {
    truncated = encoded.truncated;
    return model.native.forward({ scheduling, ...requestOf(encoded.source, plan.tokens, model) });
  });
  if (logits === undefined) {
    throw call.error(new T5Error("ERR_INTERNAL", "Expected logits for rerank but received none"));
  }
  const { data } = logits;
  const judgements = items.map((_, row) => {
    const pair = data.subarray(2 * row, 2 * row + 2);
    return { score: (pair[1] ?? Number.NaN) - logSumExp(pair), truncated: truncated[row] ?? [] };
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
  const { inputIds } = finish(encodeTexts(readTexts(token, name, model, { addSpecialTokens: false }), model));
  const [id] = inputIds;
  if (inputIds.length === 1 && id !== undefined) return id;
  const pieces = Array.from(inputIds.subarray(0, 4), (piece) => JSON.stringify(tokenizer?.idToToken(piece) ?? piece));
  const found = pieces.length === 0 ? "" : ` (${pieces.join(", ")}${inputIds.length > pieces.length ? ", ..." : ""})`;
  throw expected(`a text of one token, not of ${inputIds.length}${found},`, name, token);
}

/** Checks the prompts of `items` now; the returned work tokenizes them. */
function readPrompts(
  prompts: readonly unknown[],
  items: readonly PromptDocuments[],
  { prompter, maxLength }: RelevancePlan,
  model: ModelHandle,
): Sliced<EncodedPrompts> {
  const { tokenizer } = model;
  const name = `the prompts from ${items[0]?.name} on`;
  const texts = readTexts(
    items.map((item, index) => checkPrompt(prompts[index], item)),
    name,
    model,
  );
  return (function* encodePrompts() {
    if (maxLength === undefined || tokenizer === undefined) {
      return { source: yield* encodeTexts(texts, model), truncated: [] };
    }
    const rows: Int32Array[] = [];
    const truncated: (readonly boolean[])[] = [];
    for (const [index, item] of items.entries()) {
      if (index > 0) yield;
      const prompt = yield* encodePrompt(texts.texts[index] ?? "", item, prompter, maxLength, tokenizer);
      rows.push(prompt.ids);
      truncated.push(prompt.truncated);
    }
    return { source: yield* padIds(rows, name, model), truncated };
  })();
}

function checkPrompt(prompt: unknown, { name }: PromptDocuments): string {
  if (typeof prompt === "string") return prompt;
  throw expected("a string", `the prompt of ${name}`, prompt);
}

/** The ids of a prompt, of which only the documents are truncated. Throws ERR_INVALID_ARGUMENT. */
function* encodePrompt(
  prompt: string,
  { documents, name }: PromptDocuments,
  prompter: Prompter,
  maxLength: number,
  tokenizer: T5Tokenizer,
): Sliced<EncodedPrompt> {
  const settings = { addSpecialTokens: false };
  const { ids, offsets } = yield* tokenizer.encodeSliced(prompt, `the prompt of ${name}`, settings);
  const excess = ids.length + tokenizer.specialTokenCount - maxLength;
  if (excess <= 0) return { ids: tokenizer.withSpecialTokens(ids), truncated: documents.map(() => false) };
  const spans = prompter.locate(prompt, documents);
  if (spans === undefined) {
    const order = documents.length > 1 ? ", in this order" : "";
    throw expected(`a text that contains ${name}${order}, to be truncated,`, `the prompt of ${name}`, prompt);
  }
  const shares = shorten(offsets, spans, excess);
  if (shares === undefined) {
    const reason = `${maxLength}, which leaves no room for ${name}`;
    throw refused("more ids than the prompt has without its documents", "options.maxLength", reason);
  }
  const { starts, lengths, kept } = shares;
  const isRemoved = (token: number) =>
    starts.some((start, index) => token >= start + (kept[index] ?? 0) && token < start + (lengths[index] ?? 0));
  return {
    ids: tokenizer.withSpecialTokens(ids.filter((_, token) => !isRemoved(token))),
    truncated: kept.map((length, index) => length < (lengths[index] ?? 0)),
  };
}

function requestOf(
  source: PaddedBatch,
  tokens: Int32Array,
  model: ModelHandle,
): Omit<NativeForwardRequest, "scheduling"> {
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
    outputHiddenStates: false,
    outputAttentions: false,
    head: undefined,
  };
}
