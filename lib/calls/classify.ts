// `classify` of texts: Hugging Face's TextClassificationPipeline.
import type { Labels } from "../loading/labels.js";
import { CALL_OPTIONS, readControl } from "../util/call-control.js";
import { type CallOptions, checkBatchSize, readOptions } from "../util/call-options.js";
import { softmaxInto } from "../util/reductions.js";
import { checkChoice, checkInteger } from "../util/validation.js";
import type { Call } from "./call.js";
import { classifyTexts } from "./classification.js";

export const LABEL_FUNCTIONS = ["softmax", "sigmoid", "none"] as const;

/** What turns the logits of a text into scores. */
export type LabelFunction = (typeof LABEL_FUNCTIONS)[number];

/** The options of `classify` of texts. */
export interface ClassifyOptions extends CallOptions {
  /** The number of labels to return, the most probable ones. Default: all. */
  readonly topK?: number | undefined;
  /**
   * Default, as in Hugging Face's pipeline: "none" of a model for regression; "sigmoid" of a model for any number of
   * labels per text, or with a single label; "softmax" of any other.
   */
  readonly functionToApply?: LabelFunction | undefined;
  /** Texts that go through the model at once. Default: 32. */
  readonly batchSize?: number | undefined;
}

/** A label of a text. */
export interface LabelScore {
  readonly label: string;
  /** The probability of the label, or its logit with the function "none". */
  readonly score: number;
}

/** Classifies with the model of `call`: for each text its labels, the highest score first. */
export async function classify(
  call: Call,
  labels: Labels,
  texts: unknown,
  options: unknown,
): Promise<readonly LabelScore[] | readonly (readonly LabelScore[])[]> {
  const { topK, functionToApply, batchSize, control } = call.read(() => readClassifyOptions(options, labels));
  call.check(control);
  const results: (readonly LabelScore[])[] = [];
  await classifyTexts(call, labels, { texts, batchSize, control }, (batch, logits) => {
    for (const [row, { index }] of batch.texts.entries()) {
      const scores = scoresOf(
        logits.data.subarray(row * labels.numLabels, (row + 1) * labels.numLabels),
        functionToApply,
      );
      results[index] = scoredLabels(scores, labels).slice(0, topK);
    }
  });
  const [only = []] = results;
  return typeof texts === "string" ? only : results;
}

function readClassifyOptions(options: unknown, labels: Labels) {
  const given = readOptions(options, ["topK", "functionToApply", "batchSize", ...CALL_OPTIONS]);
  const { topK, functionToApply } = given;
  return {
    topK: topK === undefined ? labels.numLabels : checkInteger(topK, "options.topK", 1, labels.numLabels),
    functionToApply:
      functionToApply === undefined
        ? defaultFunction(labels)
        : checkChoice(functionToApply, "options.functionToApply", LABEL_FUNCTIONS),
    batchSize: checkBatchSize(given.batchSize),
    control: readControl(given),
  };
}

function defaultFunction({ problemType, numLabels }: Labels): LabelFunction {
  if (problemType === "regression") return "none";
  return problemType === "multi_label_classification" || numLabels === 1 ? "sigmoid" : "softmax";
}

function scoresOf(logits: Float32Array, functionToApply: LabelFunction): Float32Array {
  const scores = Float32Array.from(logits);
  if (functionToApply === "softmax") softmaxInto(logits, scores);
  return functionToApply === "sigmoid" ? scores.map((logit) => 1 / (1 + Math.exp(-logit))) : scores;
}

/** The labels by descending score; those of equal score in their order, as Python sorts. */
function scoredLabels(scores: Float32Array, { id2label }: Labels): readonly LabelScore[] {
  return Array.from(scores, (score, index) => ({ label: id2label[index] ?? "", score })).sort(
    (one, other) => other.score - one.score,
  );
}
