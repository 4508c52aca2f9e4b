// `rerank`: documents sorted by monoT5's relevance (Nogueira et al., 2020), the probability of "true" against "false".
import { anId, checkId } from "../inputs/ids.js";
import { encodeTexts } from "../inputs/source.js";
import type { NativeForwardRequest } from "../native/types.js";
import { abortable } from "../util/abort.js";
import { checkBatchSize, checkSignal, readOptions, type SignalOption } from "../util/call-options.js";
import { T5Error } from "../util/errors.js";
import { logSumExp } from "../util/reductions.js";
import { checkInteger, expected } from "../util/validation.js";
import { type Call, type ModelHandle, throwIfAborted } from "./call.js";

/** Makes the text that the encoder reads from a query and a document. */
export type PromptTemplate = string | ((query: string, document: string) => string);

/** The options of `rerank`. */
export interface RerankOptions extends SignalOption {
  /**
   * A text with the placeholders `{query}` and `{document}`, or a function that returns the prompt.
   * Default: monoT5's "Query: {query} Document: {document} Relevant:".
   */
  readonly template?: PromptTemplate | undefined;
  /** The answer for a relevant document: a text of one token, or its id. Default: "true". */
  readonly trueToken?: string | number | undefined;
  /** The answer for an irrelevant document. Default: "false". */
  readonly falseToken?: string | number | undefined;
  /** Documents that go through the model at once. Default: 32. */
  readonly batchSize?: number | undefined;
  /** Number of documents to return, the most relevant ones. Default: all. */
  readonly topN?: number | undefined;
}

/** Documents in memory, or read on demand, at most one batch at a time. */
export type Documents = Iterable<string> | AsyncIterable<string>;

/** A document with its relevance to the query. */
export interface RankedDocument {
  /** The position of the document in the input, from 0. */
  readonly index: number;
  /** The probability of `trueToken` against `falseToken`, from 0 to 1. */
  readonly probability: number;
  /** The natural logarithm of the probability: monoT5's score. */
  readonly score: number;
  readonly document: string;
}

/** The checked query and options. */
interface Plan {
  /** May be the caller's function: what it throws is the caller's error, and its result is checked. */
  readonly prompt: (document: string) => unknown;
  /** The ids of the irrelevant answer and of the relevant one. */
  readonly tokens: Int32Array;
  readonly batchSize: number;
  readonly topN: number;
  readonly signal: AbortSignal | undefined;
}

type DocumentIterator = Iterator<unknown> | AsyncIterator<unknown>;

const DEFAULT_TEMPLATE = "Query: {query} Document: {document} Relevant:";

/** Ranks documents with the model of `call`, the most relevant first; equally relevant ones stay in their order. */
export async function rerank(
  call: Call,
  query: unknown,
  documents: unknown,
  options: unknown,
): Promise<readonly RankedDocument[]> {
  const plan = call.read(() => readPlan(query, options, call.model));
  const { signal, batchSize, topN } = plan;
  throwIfAborted(signal);
  const iterator = call.read(() => iteratorOf(documents));
  let ranked: RankedDocument[] = [];
  let read = 0;
  let isDone = false;
  try {
    while (!isDone) {
      const batch: string[] = [];
      while (!isDone && batch.length < batchSize) {
        throwIfAborted(signal);
        const next = await abortable(nextOf(iterator), signal, () => {});
        if (next.done) isDone = true;
        else batch.push(call.read(() => checkDocument(next.value, read + batch.length)));
      }
      if (batch.length === 0) break;
      const scored = await scoreBatch(call, plan, batch, read);
      read += batch.length;
      ranked.push(...scored);
      // Not after every batch: sorting would take longer than the model.
      if (ranked.length > 2 * topN + batchSize) ranked = best(ranked, topN);
    }
    return best(ranked, topN);
  } catch (thrown) {
    if (!isDone) close(iterator);
    throw thrown;
  }
}

/**
 * The prompt of a template. One pass replaces both placeholders, so that placeholders in the texts stay as they are.
 */
export function fillTemplate(template: string, query: string, document: string): string {
  return template.replace(/\{(query|document)\}/g, (_, name: string) => (name === "query" ? query : document));
}

function readPlan(query: unknown, options: unknown, model: ModelHandle): Plan {
  const names = ["template", "trueToken", "falseToken", "batchSize", "topN", "signal"] as const;
  const {
    template = DEFAULT_TEMPLATE,
    trueToken = "true",
    falseToken = "false",
    ...given
  } = readOptions(options, names);
  const { batchSize, topN } = given;
  if (typeof query !== "string") throw expected("a string", "query", query);
  const tokens = Int32Array.of(
    tokenId(falseToken, "options.falseToken", model),
    tokenId(trueToken, "options.trueToken", model),
  );
  if (tokens[0] === tokens[1]) throw expected("another token than falseToken", "options.trueToken", trueToken);
  return {
    prompt: promptOf(template, query),
    tokens,
    batchSize: checkBatchSize(batchSize),
    topN: topN === undefined ? Number.POSITIVE_INFINITY : checkInteger(topN, "options.topN", 1),
    signal: checkSignal(given.signal),
  };
}

function promptOf(template: unknown, query: string): Plan["prompt"] {
  if (typeof template === "function") return (document) => template(query, document);
  if (typeof template !== "string" || !template.includes("{query}") || !template.includes("{document}")) {
    throw expected("a text with {query} and {document}, or a function", "options.template", template);
  }
  return (document) => fillTemplate(template, query, document);
}

function tokenId(token: unknown, name: string, model: ModelHandle): number {
  const { vocabSize } = model.config;
  if (typeof token === "string") {
    const { inputIds } = encodeTexts(token, name, model);
    // The end-of-sequence id is last.
    const [id] = inputIds;
    if (inputIds.length === 2 && id !== undefined) return id;
    throw expected(`a text of one token, not of ${inputIds.length - 1},`, name, token);
  }
  return checkId(token, name, vocabSize, `a text of one token or ${anId(vocabSize)}`);
}

/** An array is copied and checked as a whole; elements of other iterables are checked one by one. */
function iteratorOf(documents: unknown): DocumentIterator {
  if (Array.isArray(documents)) {
    return Array.from(documents, (document: unknown, index) => checkDocument(document, index)).values();
  }
  if (typeof documents === "object" && documents !== null) {
    const asynchronous: unknown = Reflect.get(documents, Symbol.asyncIterator);
    const make: unknown = asynchronous ?? Reflect.get(documents, Symbol.iterator);
    if (typeof make === "function") return Reflect.apply(make, documents, []) as DocumentIterator;
  }
  throw expected("an array, an iterable or an async iterable of strings", "documents", documents);
}

function checkDocument(document: unknown, index: number): string {
  if (typeof document !== "string") throw expected("a string", `documents[${index}]`, document);
  return document;
}

/** Async, so that what the iterator throws synchronously is a rejection too. */
async function nextOf(iterator: DocumentIterator): Promise<IteratorResult<unknown>> {
  return iterator.next();
}

/** Closes an iterator that isn't read to its end, without waiting: its last `next()` may never settle. */
function close(iterator: DocumentIterator): void {
  const closing = async () => iterator.return?.();
  closing().catch(() => {});
}

async function scoreBatch(
  call: Call,
  plan: Plan,
  documents: readonly string[],
  first: number,
): Promise<readonly RankedDocument[]> {
  const { model } = call;
  const prompts = documents.map(plan.prompt);
  const request = call.read(() => readRequest(prompts, plan.tokens, first, model));
  const { logits } = await call.run(plan.signal, (scheduling) => model.native.forward({ scheduling, ...request }));
  if (logits === undefined) {
    throw call.error(new T5Error("ERR_INTERNAL", "Expected logits for rerank but received none"));
  }
  const { data } = logits;
  const ranked = documents.map((document, row) => {
    const pair = data.subarray(2 * row, 2 * row + 2);
    const score = (pair[1] ?? Number.NaN) - logSumExp(pair);
    return { index: first + row, probability: Math.exp(score), score, document };
  });
  model.release(data.buffer);
  return ranked;
}

function readRequest(
  prompts: readonly unknown[],
  tokens: Int32Array,
  first: number,
  model: ModelHandle,
): Omit<NativeForwardRequest, "scheduling"> {
  const wrong = prompts.findIndex((prompt) => typeof prompt !== "string");
  if (wrong !== -1) throw expected("a string", `the prompt of documents[${first + wrong}]`, prompts[wrong]);
  const source = encodeTexts(prompts, `the prompts from documents[${first}] on`, model);
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

function best(ranked: readonly RankedDocument[], count: number): RankedDocument[] {
  return ranked.toSorted((a, b) => b.probability - a.probability || a.index - b.index).slice(0, count);
}
