// The prompts of `rerank`: templates, and documents that are truncated so that a prompt fits.
import { expected } from "../util/validation.js";

/**
 * Makes the text that the encoder reads from a query and a document, or from two documents: a text with placeholders,
 * or a function.
 */
export type PromptTemplate = string | ((query: string, ...documents: string[]) => string);

/** A range of a prompt, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A template for a query. */
export interface Prompter {
  /** The prompt of documents. May be the caller's function: what it throws is the caller's error. */
  make(documents: readonly string[]): unknown;
  /** The range of each document in their prompt; undefined where the prompt doesn't contain all of them. */
  locate(prompt: string, documents: readonly string[]): readonly Span[] | undefined;
}

/** The templates of monoT5 and duoT5, by the number of documents in a prompt. */
const DEFAULT_TEMPLATES = {
  1: "Query: {query} Document: {document} Relevant:",
  2: "Query: {query} Document0: {document0} Document1: {document1} Relevant:",
} as const;

/** The number of documents in a prompt. */
export type PromptSize = keyof typeof DEFAULT_TEMPLATES;

/**
 * Reads the option `template` for prompts of `size` documents. `truncates`: documents may have to be truncated, so that
 * each must be in a prompt once. Throws ERR_INVALID_ARGUMENT.
 */
export function readTemplate(template: unknown, query: string, size: PromptSize, truncates: boolean): Prompter {
  if (typeof template === "function") {
    return { make: (documents) => template(query, ...documents), locate: findDocuments };
  }
  const text = template ?? DEFAULT_TEMPLATES[size];
  const placeholders = documentNames(size).map((name) => `{${name}}`);
  const all = ["{query}", ...placeholders];
  if (typeof text !== "string" || !all.every((name) => text.includes(name))) {
    const what = `a text with ${all.slice(0, -1).join(", ")} and ${all.at(-1)}, or a function`;
    throw expected(what, "options.template", template);
  }
  if (truncates && placeholders.some((name) => text.indexOf(name) !== text.lastIndexOf(name))) {
    throw expected(
      `a text with ${placeholders.join(" and ")} once, as documents are truncated,`,
      "options.template",
      text,
    );
  }
  return {
    make: (documents) => fillTemplate(text, query, documents).text,
    locate: (_, documents) => fillTemplate(text, query, documents).spans,
  };
}

/**
 * The prompt of a template, with the range of each document. One pass replaces all placeholders, so that placeholders
 * in the texts stay as they are.
 */
export function fillTemplate(
  template: string,
  query: string,
  documents: readonly string[],
): { readonly text: string; readonly spans: readonly Span[] } {
  const names = documentNames(documents.length);
  const spans: Span[] = [];
  let text = "";
  let done = 0;
  for (const match of template.matchAll(/\{(\w+)\}/g)) {
    text += template.slice(done, match.index);
    done = match.index + match[0].length;
    const index = names.indexOf(match[1] ?? "");
    const start = text.length;
    text += match[1] === "query" ? query : (documents[index] ?? match[0]);
    if (index !== -1) spans[index] = { start, end: text.length };
  }
  return { text: text + template.slice(done), spans };
}

/** How many tokens each document keeps, so that a prompt has `excess` tokens less. */
export interface Shares {
  /** The index in the prompt's tokens of each document's first token. */
  readonly starts: readonly number[];
  /** The number of tokens of each document. */
  readonly lengths: readonly number[];
  /** The number of tokens that each document keeps; the others at its end are removed. */
  readonly kept: readonly number[];
}

/**
 * Shortens one or two documents of a prompt by `excess` tokens, the longer one first. `offsets` are those of the
 * prompt's tokens, `[tokens, 2]`. A token that a document shares with the rest of the prompt is kept. Undefined where
 * nothing would be left of a document.
 */
export function shorten(offsets: Int32Array, spans: readonly Span[], excess: number): Shares | undefined {
  const ranges = spans.map((span) => tokensWithin(offsets, span));
  const lengths = ranges.map(({ start, end }) => end - start);
  const total = lengths.reduce((sum, length) => sum + length, 0) - excess;
  const kept = share(lengths, total);
  if (total < 0 || kept.some((length, index) => length === 0 && lengths[index] !== 0)) return undefined;
  return { starts: ranges.map(({ start }) => start), lengths, kept };
}

/** The placeholders of the documents. */
function documentNames(size: number): readonly string[] {
  return size === 1 ? ["document"] : Array.from({ length: size }, (_, index) => `document${index}`);
}

/** Finds documents in the prompt of the caller's function: in their order, each at its last occurrence. */
function findDocuments(prompt: string, documents: readonly string[]): readonly Span[] | undefined {
  const spans: Span[] = [];
  let end = prompt.length;
  for (const document of documents.toReversed()) {
    const start = document.length > end ? -1 : prompt.lastIndexOf(document, end - document.length);
    if (start === -1) return undefined;
    spans.unshift({ start, end: start + document.length });
    end = start;
  }
  return spans;
}

/** The tokens that are within a range of the text, as indices. */
function tokensWithin(offsets: Int32Array, { start, end }: Span): Span {
  const isWithin = (token: number) => (offsets[2 * token] ?? 0) >= start && (offsets[2 * token + 1] ?? 0) <= end;
  const count = offsets.length / 2;
  let first = 0;
  while (first < count && !isWithin(first)) first++;
  let last = first;
  while (last < count && isWithin(last)) last++;
  return { start: first, end: last };
}

/** How many tokens each of one or two documents keeps, of `total` for all: the shorter one is truncated last. */
function share([first = 0, second]: readonly number[], total: number): readonly number[] {
  if (second === undefined) return [Math.min(first, total)];
  const half = Math.ceil(total / 2);
  if (first <= half) return [first, Math.min(second, total - first)];
  if (second <= total - half) return [total - second, second];
  return [half, total - half];
}
