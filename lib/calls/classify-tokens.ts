// `classify` of tokens: Hugging Face's TokenClassificationPipeline.
import type { Labels } from "../loading/labels.js";
import type { T5Tokenizer } from "../tokenizer/t5-tokenizer.js";
import { CALL_OPTIONS, readControl } from "../util/call-control.js";
import { type CallOptions, checkBatchSize, readOptions } from "../util/call-options.js";
import { argmaxOf, softmaxInto } from "../util/reductions.js";
import { checkChoice, expected } from "../util/validation.js";
import type { Call } from "./call.js";
import { classifyTexts, type EncodedText } from "./classification.js";

export const AGGREGATION_STRATEGIES = ["none", "simple"] as const;

/** How the labels of tokens are returned: one by one, or adjacent ones of the same entity as one. */
export type AggregationStrategy = (typeof AGGREGATION_STRATEGIES)[number];

/** The options of `classify` of tokens. */
export interface ClassifyTokensOptions extends CallOptions {
  /** "simple" groups adjacent tokens of one entity (`B-PER`, `I-PER`). Default: "none". */
  readonly aggregationStrategy?: AggregationStrategy | undefined;
  /** Labels to leave out; with "simple", of groups. Default: `["O"]`. */
  readonly ignoreLabels?: readonly string[] | undefined;
  /** Texts that go through the model at once. Default: 32. */
  readonly batchSize?: number | undefined;
}

/** A part of a text and its label. */
interface LabeledText {
  /** The probability of the label; of a group, the mean. */
  readonly score: number;
  /** The token, for instance "▁Ann", or the text of a group. */
  readonly word: string;
  /** The part of the text, in UTF-16 units as `slice` counts them. */
  readonly start: number;
  readonly end: number;
}

/** The label of one token. */
export interface TokenLabel extends LabeledText {
  /** The label with the highest probability. */
  readonly entity: string;
  /** The position among the ids of the text. */
  readonly index: number;
}

/** Adjacent tokens of one entity. */
export interface EntityGroup extends LabeledText {
  /** The label without the prefix `B-` or `I-`. */
  readonly entityGroup: string;
}

/** Classifies the tokens of texts with the model of `call`. The tokens that the tokenizer adds have no label. */
export async function classifyTokens(
  call: Call,
  labels: Labels,
  texts: unknown,
  options: unknown,
): Promise<readonly (TokenLabel | EntityGroup)[] | readonly (readonly (TokenLabel | EntityGroup)[])[]> {
  const { aggregationStrategy, ignored, batchSize, control } = call.read(() => readClassifyTokensOptions(options));
  call.check(control);
  const { tokenizer } = call.model;
  const results: (readonly (TokenLabel | EntityGroup)[])[] = [];
  await classifyTexts(call, labels, { texts, batchSize, control }, (batch, logits) => {
    const width = batch.request.source.length * labels.numLabels;
    for (const [row, text] of batch.texts.entries()) {
      const tokens = tokenLabels(logits.data.subarray(row * width, (row + 1) * width), text, labels, tokenizer);
      results[text.index] =
        aggregationStrategy === "none"
          ? tokens.filter(({ entity }) => !ignored.has(entity))
          : groupEntities(tokens, tokenizer).filter(({ entityGroup }) => !ignored.has(entityGroup));
    }
  });
  const [only = []] = results;
  return typeof texts === "string" ? only : results;
}

function readClassifyTokensOptions(options: unknown) {
  const given = readOptions(options, ["aggregationStrategy", "ignoreLabels", "batchSize", ...CALL_OPTIONS]);
  const { aggregationStrategy: strategy, ignoreLabels = ["O"] } = given;
  if (!Array.isArray(ignoreLabels) || !Array.from(ignoreLabels).every((label) => typeof label === "string")) {
    throw expected("an array of labels", "options.ignoreLabels", ignoreLabels);
  }
  return {
    aggregationStrategy:
      strategy === undefined ? "none" : checkChoice(strategy, "options.aggregationStrategy", AGGREGATION_STRATEGIES),
    ignored: new Set<unknown>(ignoreLabels),
    batchSize: checkBatchSize(given.batchSize),
    control: readControl(given),
  };
}

/** The labels of a text's own tokens. `logits`: `[sourceLength, numLabels]`. */
function tokenLabels(
  logits: Float32Array,
  { text, encoding }: EncodedText,
  { id2label, numLabels }: Labels,
  tokenizer: T5Tokenizer | undefined,
): readonly TokenLabel[] {
  const { ids, offsets, first, last } = encoding;
  const scores = new Float32Array(numLabels);
  return Array.from({ length: last - first }, (_, token) => {
    const index = first + token;
    softmaxInto(logits.subarray(index * numLabels, (index + 1) * numLabels), scores);
    const best = argmaxOf(scores);
    const [start = 0, end = 0] = offsets.subarray(2 * index, 2 * index + 2);
    const id = ids[index] ?? 0;
    // As Hugging Face: the text itself for an unknown token.
    const word = id === tokenizer?.unkTokenId ? text.slice(start, end) : (tokenizer?.idToToken(id) ?? "");
    return { entity: id2label[best] ?? "", score: scores[best] ?? 0, index, word, start, end };
  });
}

/** A label without its prefix, and whether it begins an entity. A label without a prefix continues one. */
function tagOf(label: string): { readonly tag: string; readonly begins: boolean } {
  return /^[BI]-/.test(label) ? { tag: label.slice(2), begins: label.startsWith("B-") } : { tag: label, begins: false };
}

/** Adjacent tokens of one entity as one, as `TokenClassificationPipeline.group_entities`. */
function groupEntities(tokens: readonly TokenLabel[], tokenizer: T5Tokenizer | undefined): readonly EntityGroup[] {
  const groups: TokenLabel[][] = [];
  for (const token of tokens) {
    const group = groups.at(-1);
    const previous = group?.at(-1);
    const { tag, begins } = tagOf(token.entity);
    if (group === undefined || previous === undefined || begins || tagOf(previous.entity).tag !== tag) {
      groups.push([token]);
    } else {
      group.push(token);
    }
  }
  return groups.flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    return {
      // Everything after the first dash, as in Hugging Face, also where the prefix is none of B and I.
      entityGroup: first.entity.slice(first.entity.indexOf("-") + 1),
      score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
      word: tokenizer?.tokensToText(group.map(({ word }) => word)) ?? "",
      start: first.start,
      end: group.at(-1)?.end ?? first.end,
    };
  });
}
