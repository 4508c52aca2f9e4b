// `rerank`: documents sorted by their relevance to a query, alone (monoT5) or against one another (duoT5).
import { readMaxLength, TRUNCATION_OPTIONS, type TruncationOptions } from "../tokenizer/truncation.js";
import { CALL_OPTIONS, readControl } from "../util/call-control.js";
import { type CallOptions, checkBatchSize, readOptions } from "../util/call-options.js";
import { checkFlag, checkInteger, expected, refused } from "../util/validation.js";
import type { Call, ModelHandle } from "./call.js";
import { comparePairs, MAX_PAIRED_DOCUMENTS } from "./pairwise.js";
import { type PromptTemplate, readTemplate } from "./prompt.js";
import { judge, type RelevancePlan, readAnswer } from "./relevance.js";

/**
 * The options of `rerank`. `maxLength` and `truncation` limit the ids of a prompt; only its documents are truncated, so
 * that it keeps its end.
 */
export interface RerankOptions extends CallOptions, TruncationOptions {
  /**
   * Compare every document with every other one, in both orders, as duoT5 does: for n documents n * (n - 1) prompts.
   * Default: false.
   */
  readonly pairwise?: boolean | undefined;
  /**
   * A text with the placeholders `{query}` and `{document}`, or with `pairwise` `{query}`, `{document0}` and
   * `{document1}`; or a function of these texts that returns the prompt. Default: monoT5's "Query: {query} Document:
   * {document} Relevant:", or duoT5's "Query: {query} Document0: {document0} Document1: {document1} Relevant:".
   */
  readonly template?: PromptTemplate | undefined;
  /**
   * The answer for a relevant document, or with `pairwise` for a first document that is the more relevant one: a text
   * of one token, the name of a piece, which begins with "▁", or an id. Default: "true".
   */
  readonly trueToken?: string | number | undefined;
  /** The other answer. Default: "false". */
  readonly falseToken?: string | number | undefined;
  /** Documents, or with `pairwise` pairs, that go through the model at once. Default: 32. */
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
  /**
   * The probability of `trueToken` against `falseToken`, from 0 to 1. With `pairwise` the mean probability that this
   * document is more relevant than another one; 0.5 for a document alone.
   */
  readonly probability: number;
  /**
   * The natural logarithm of the probability: monoT5's score. With `pairwise` duoT5's: the sum over the other documents
   * of the probabilities that this one is the more relevant, in both orders, from 0 to 2 * (n - 1).
   */
  readonly score: number;
  readonly document: string;
  /** Whether the document was truncated, with `pairwise` in any pair; absent unless `maxLength` or `truncation` is given. */
  readonly truncated?: boolean;
}

/** The checked query and options. */
interface Plan extends RelevancePlan {
  readonly pairwise: boolean;
  readonly batchSize: number;
  readonly topN: number;
}

type DocumentIterator = Iterator<unknown> | AsyncIterator<unknown>;

/** Ranks documents with the model of `call`, the most relevant first; equally relevant ones stay in their order. */
export async function rerank(
  call: Call,
  query: unknown,
  documents: unknown,
  options: unknown,
): Promise<readonly RankedDocument[]> {
  const plan = call.read(() => readPlan(query, options, call.model));
  call.check(plan.control);
  const reader = new DocumentReader(call, documents, plan);
  try {
    return await (plan.pairwise ? rankPairs(call, reader, plan) : rankEach(call, reader, plan));
  } catch (thrown) {
    reader.close();
    throw thrown;
  }
}

/** monoT5: each document's relevance by itself. Documents are read batch by batch. */
async function rankEach(call: Call, reader: DocumentReader, plan: Plan): Promise<readonly RankedDocument[]> {
  const { batchSize, topN, maxLength } = plan;
  let ranked: RankedDocument[] = [];
  for (;;) {
    const first = reader.count;
    const batch = await reader.read();
    if (batch.length === 0) return best(ranked, topN);
    const judgements = await judge(
      call,
      plan,
      batch.map((document, row) => ({ documents: [document], name: `documents[${first + row}]` })),
    );
    for (const [row, { score, truncated }] of judgements.entries()) {
      const found = { index: first + row, probability: Math.exp(score), score, document: batch[row] ?? "" };
      ranked.push(maxLength === undefined ? found : { ...found, truncated: truncated[0] ?? false });
    }
    // Not after every batch: sorting would take longer than the model.
    if (ranked.length > 2 * topN + batchSize) ranked = best(ranked, topN);
  }
}

/** duoT5: each document's relevance against all others. All documents are read first. */
async function rankPairs(call: Call, reader: DocumentReader, plan: Plan): Promise<readonly RankedDocument[]> {
  const documents: string[] = [];
  for (let batch = await reader.read(); batch.length > 0; batch = await reader.read()) {
    for (const document of batch) documents.push(document);
    if (documents.length <= MAX_PAIRED_DOCUMENTS) continue;
    const most = `at most ${MAX_PAIRED_DOCUMENTS} documents, as options.pairwise is true,`;
    throw call.error(refused(most, "documents", "more"));
  }
  const preferences = await comparePairs(call, plan, documents, plan.batchSize);
  const ranked = preferences.map(({ sum, mean, truncated }, index) => {
    const found = { index, probability: mean, score: sum, document: documents[index] ?? "" };
    return plan.maxLength === undefined ? found : { ...found, truncated };
  });
  return best(ranked, plan.topN);
}

/** Reads documents on demand, a batch at a time. */
class DocumentReader {
  readonly #call: Call;
  readonly #iterator: DocumentIterator;
  readonly #plan: Plan;
  #count = 0;
  #isDone = false;

  /** Throws ERR_INVALID_ARGUMENT for documents that can't be iterated, and for a wrong element of an array. */
  constructor(call: Call, documents: unknown, plan: Plan) {
    this.#call = call;
    this.#iterator = call.read(() => iteratorOf(documents));
    this.#plan = plan;
  }

  /** The number of documents that were read. */
  get count(): number {
    return this.#count;
  }

  /** The next documents; none at the end. Rejects with what the iterator throws, and with the signal's reason. */
  async read(): Promise<readonly string[]> {
    const { control, batchSize } = this.#plan;
    const batch: string[] = [];
    while (!this.#isDone && batch.length < batchSize) {
      this.#call.check(control);
      const next = await this.#call.until(control, nextOf(this.#iterator));
      if (next.done) {
        this.#isDone = true;
      } else {
        batch.push(this.#call.read(() => checkDocument(next.value, this.#count)));
        this.#count++;
      }
    }
    return batch;
  }

  /** Closes an iterator that isn't read to its end, without waiting: its last `next()` may never settle. */
  close(): void {
    if (this.#isDone) return;
    const closing = async () => this.#iterator.return?.();
    closing().catch(() => {});
  }
}

function readPlan(query: unknown, options: unknown, model: ModelHandle): Plan {
  const names = [
    "pairwise",
    "template",
    "trueToken",
    "falseToken",
    "batchSize",
    "topN",
    ...TRUNCATION_OPTIONS,
    ...CALL_OPTIONS,
  ] as const;
  const given = readOptions(options, names);
  const { template, trueToken = "true", falseToken = "false", batchSize, topN, maxLength, truncation } = given;
  if (typeof query !== "string") throw expected("a string", "query", query);
  const pairwise = checkFlag(given.pairwise, "options.pairwise");
  const tokens = Int32Array.of(
    readAnswer(falseToken, "options.falseToken", model),
    readAnswer(trueToken, "options.trueToken", model),
  );
  if (tokens[0] === tokens[1]) throw expected("another token than falseToken", "options.trueToken", trueToken);
  const modelMaxLength = model.tokenizer?.modelMaxLength;
  const length = readMaxLength({ maxLength, truncation }, "options.", { modelMaxLength });
  return {
    pairwise,
    prompter: readTemplate(template, query, pairwise ? 2 : 1, length !== undefined),
    tokens,
    maxLength: length,
    batchSize: checkBatchSize(batchSize),
    topN: topN === undefined ? Number.POSITIVE_INFINITY : checkInteger(topN, "options.topN", 1),
    control: readControl(given),
  };
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

function best(ranked: readonly RankedDocument[], count: number): RankedDocument[] {
  return ranked.toSorted((a, b) => b.probability - a.probability || a.index - b.index).slice(0, count);
}
