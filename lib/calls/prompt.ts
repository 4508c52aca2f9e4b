// The prompts of `rerank`: templates, and documents that are truncated so that a prompt fits.
import { expected } from "../util/validation.js";

/**
 * Makes the text that the encoder reads from a query and a document, or from two documents: a text with placeholders,
 * or a function.
 */
export type PromptTemplate = string | ((query: string, ...documents: string[]) => string);

/** Makes a prompt of documents. May be the caller's function: what it throws is the caller's error. */
export type PromptMaker = (documents: readonly string[]) => unknown;

/** The templates of monoT5 and duoT5, by the number of documents in a prompt. */
const DEFAULT_TEMPLATES = {
  1: "Query: {query} Document: {document} Relevant:",
  2: "Query: {query} Document0: {document0} Document1: {document1} Relevant:",
} as const;

/** The number of documents in a prompt. */
export type PromptSize = keyof typeof DEFAULT_TEMPLATES;

/** Guesses of how much of the documents fits, before the search halves what is left. */
const MAX_GUESSES = 8;

/** Reads the option `template` for prompts of `size` documents. Throws ERR_INVALID_ARGUMENT. */
export function readTemplate(template: unknown, query: string, size: PromptSize): PromptMaker {
  if (typeof template === "function") return (documents) => template(query, ...documents);
  const text = template ?? DEFAULT_TEMPLATES[size];
  const names = ["query", ...documentNames(size)].map((name) => `{${name}}`);
  if (typeof text !== "string" || !names.every((name) => text.includes(name))) {
    const what = `a text with ${names.slice(0, -1).join(", ")} and ${names.at(-1)}, or a function`;
    throw expected(what, "options.template", template);
  }
  return (documents) => fillTemplate(text, query, documents);
}

/** The prompt of a template. One pass replaces all placeholders, so that placeholders in the texts stay as they are. */
export function fillTemplate(template: string, query: string, documents: readonly string[]): string {
  const values = new Map([["query", query]]);
  for (const [index, name] of documentNames(documents.length).entries()) values.set(name, documents[index] ?? "");
  return template.replace(/\{(\w+)\}/g, (placeholder, name: string) => values.get(name) ?? placeholder);
}

/** How a prompt is counted and its documents are cut. */
export interface PromptMeter {
  /** The number of ids of a prompt, the end-of-sequence id included. */
  count(prompt: string): number;
  /** The offset in a document at which each of its tokens ends. */
  ends(document: string): readonly number[];
}

/** A prompt, and which of its documents were truncated. */
export interface FittedPrompt {
  readonly prompt: string;
  readonly truncated: readonly boolean[];
}

/**
 * The prompt of documents that has at most `maxLength` ids. Where it has more, the documents are truncated at the end
 * of a token, as little as possible, the longest first: transformers' `longest_first`, but for documents only.
 * Undefined where nothing would be left of a document.
 */
export function fitPrompt(
  documents: readonly string[],
  make: (documents: readonly string[]) => string,
  { count, ends }: PromptMeter,
  maxLength: number,
): FittedPrompt | undefined {
  const whole = make(documents);
  const wholeCount = count(whole);
  if (wholeCount <= maxLength) return { prompt: whole, truncated: documents.map(() => false) };
  const tokenEnds = documents.map(ends);
  const lengths = tokenEnds.map(({ length }) => length);
  const parts = (kept: readonly number[]) =>
    documents.map((document, index) => {
      const length = kept[index] ?? 0;
      return length >= (lengths[index] ?? 0) ? document : document.slice(0, tokenEnds[index]?.[length - 1] ?? 0);
    });
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const promptOf = (keptTotal: number) => make(parts(shares(lengths, keptTotal)));
  const found = largestFitting(total, wholeCount, maxLength, (kept) => count(promptOf(kept)));
  const kept = shares(lengths, found);
  if (found === 0 || kept.some((length, index) => length === 0 && lengths[index] !== 0)) return undefined;
  return { prompt: promptOf(found), truncated: kept.map((length, index) => length < (lengths[index] ?? 0)) };
}

/** The placeholders of the documents. */
function documentNames(size: number): readonly string[] {
  return size === 1 ? ["document"] : Array.from({ length: size }, (_, index) => `document${index}`);
}

/** How many tokens each of one or two documents keeps, of `total` for all: the shorter one is truncated last. */
function shares(lengths: readonly number[], total: number): readonly number[] {
  const [first = 0, second] = lengths;
  if (second === undefined) return [Math.min(first, total)];
  const half = Math.ceil(total / 2);
  if (first <= half) return [first, Math.min(second, total - first)];
  if (second <= total - half) return [Math.min(first, total - second), second];
  return [half, total - half];
}

/**
 * The largest number below `total` whose count is at most `max`, or 0. A prompt has about one id more for each token
 * more, so that a few guesses find it; the counts of a caller's function may be any.
 */
function largestFitting(total: number, totalCount: number, max: number, countOf: (kept: number) => number): number {
  let fitting = 0;
  let tooMany = total;
  let guess = total - (totalCount - max);
  for (let guesses = 0; tooMany - fitting > 1; guesses++) {
    const middle = Math.floor((fitting + tooMany) / 2);
    const kept = guesses < MAX_GUESSES ? Math.min(Math.max(guess, fitting + 1), tooMany - 1) : middle;
    const excess = countOf(kept) - max;
    if (excess <= 0) fitting = kept;
    else tooMany = kept;
    guess = excess === 0 ? kept + 1 : kept - excess;
  }
  return fitting;
}
