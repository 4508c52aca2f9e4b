// The labels of a classifier in config.json.
import { corrupt } from "../util/json.js";
import { isRecord } from "../util/validation.js";
import type { ModelKind } from "./architectures.js";
import type { ConfigFile } from "./config.js";

const PROBLEM_TYPES = ["regression", "single_label_classification", "multi_label_classification"] as const;

/** What a classifier was trained for: one number, exactly one of the labels, or any number of them. */
export type ProblemType = (typeof PROBLEM_TYPES)[number];

/** The labels of a classifier, by Hugging Face's names. */
export interface Labels {
  /** The label of each logit. */
  readonly id2label: Readonly<Record<number, string>>;
  /** The number of logits, L. */
  readonly numLabels: number;
  /** Undefined where config.json states none. */
  readonly problemType: ProblemType | undefined;
}

const NO_LABELS: Labels = Object.freeze({ id2label: Object.freeze({}), numLabels: 0, problemType: undefined });

/** The labels of a model; none of one that doesn't classify. Throws ERR_MODEL_CORRUPT. */
export function labelsOf(kind: ModelKind, file: ConfigFile): Labels {
  if (!classifies(kind)) return NO_LABELS;
  const { id2label: found } = file;
  if (!isRecord(found) || Object.keys(found).length === 0) {
    throw corrupt("an object with the label of each logit", "id2label in config.json", found);
  }
  const numLabels = Object.keys(found).length;
  const id2label: Record<number, string> = {};
  for (let index = 0; index < numLabels; index++) {
    const label = Object.hasOwn(found, index) ? found[index] : undefined;
    if (typeof label !== "string") throw corrupt("a string", `id2label[${index}] in config.json`, label);
    id2label[index] = label;
  }
  return Object.freeze({ id2label: Object.freeze(id2label), numLabels, problemType: readProblemType(file) });
}

/** The number of labels of Hugging Face's configuration. */
const DEFAULT_LABELS = 2;
/** More than any classifier without labels of its own has. */
const MAX_DEFAULT_LABELS = 1024;

/**
 * The config.json of a classifier with labels: `save_pretrained` leaves out those of Hugging Face's default, which are
 * named after their number. Throws ERR_MODEL_CORRUPT.
 */
export function withDefaultLabels(kind: ModelKind, file: ConfigFile): ConfigFile {
  if (!classifies(kind) || (file.id2label !== undefined && file.id2label !== null)) return file;
  const count = file.num_labels ?? DEFAULT_LABELS;
  if (typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > MAX_DEFAULT_LABELS) {
    throw corrupt(`an integer from 1 to ${MAX_DEFAULT_LABELS}`, "num_labels in config.json", count);
  }
  const labels = Array.from({ length: count }, (_, index) => [index, `LABEL_${index}`]);
  return { ...file, id2label: Object.fromEntries(labels) };
}

function classifies(kind: ModelKind): boolean {
  return kind === "sequenceClassification" || kind === "tokenClassification";
}

function readProblemType({ problem_type: found }: ConfigFile): ProblemType | undefined {
  if (found === undefined || found === null) return undefined;
  const known = PROBLEM_TYPES.find((type) => type === found);
  if (known === undefined) throw corrupt(`one of ${PROBLEM_TYPES.join(", ")}`, "problem_type in config.json", found);
  return known;
}
