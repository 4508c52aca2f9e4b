// The classes of transformers that an export can be of, and the class of this package that loads each.
import { corrupt } from "../util/json.js";
import { refused } from "../util/validation.js";
import type { Manifest } from "./manifest.js";

/**
 * What a model computes: "generation" by an encoder and a decoder, "encoder" by an encoder alone. A classifier of texts
 * has both, a classifier of tokens an encoder.
 */
export type ModelKind = "generation" | "encoder" | "sequenceClassification" | "tokenClassification";

/** The kind of each class of transformers, which `architecture` in manifest.json names. */
const KINDS: ReadonlyMap<string, ModelKind> = new Map([
  ["T5ForConditionalGeneration", "generation"],
  ["MT5ForConditionalGeneration", "generation"],
  ["UMT5ForConditionalGeneration", "generation"],
  ["T5EncoderModel", "encoder"],
  ["MT5EncoderModel", "encoder"],
  ["UMT5EncoderModel", "encoder"],
  ["T5ForSequenceClassification", "sequenceClassification"],
  ["MT5ForSequenceClassification", "sequenceClassification"],
  ["UMT5ForSequenceClassification", "sequenceClassification"],
  ["T5ForTokenClassification", "tokenClassification"],
  ["MT5ForTokenClassification", "tokenClassification"],
  ["UMT5ForTokenClassification", "tokenClassification"],
]);

/** A class of this package. */
interface ModelClass {
  readonly name: string;
  /** The kinds of exports that it loads. */
  readonly loads: readonly ModelKind[];
  /** A model of its kind, for messages. */
  readonly model: string;
}

/** The class of this package for each kind. As in transformers, that of an encoder also loads a whole model's. */
const CLASSES: Readonly<Record<ModelKind, ModelClass>> = {
  generation: {
    name: "T5ForConditionalGeneration",
    loads: ["generation"],
    model: "a model with a decoder and a language-model head",
  },
  encoder: { name: "T5EncoderModel", loads: ["encoder", "generation"], model: "an encoder alone" },
  sequenceClassification: {
    name: "T5ForSequenceClassification",
    loads: ["sequenceClassification"],
    model: "a classifier of texts",
  },
  tokenClassification: {
    name: "T5ForTokenClassification",
    loads: ["tokenClassification"],
    model: "a classifier of tokens",
  },
};

/** The kind of an exported model. Throws ERR_MODEL_CORRUPT. */
export function kindOf({ architecture }: Manifest): ModelKind {
  const kind = KINDS.get(architecture);
  if (kind === undefined)
    throw corrupt(`one of ${[...KINDS.keys()].join(", ")}`, "architecture in manifest.json", architecture);
  return kind;
}

/**
 * Refuses an export that the class for `kind` doesn't load, and names the class that does. Throws ERR_INVALID_ARGUMENT,
 * ERR_MODEL_CORRUPT.
 */
export function checkLoads(kind: ModelKind, manifest: Manifest): void {
  const found = kindOf(manifest);
  const wanted = CLASSES[kind];
  if (wanted.loads.includes(found)) return;
  const { name, model } = CLASSES[found];
  const received = `that of ${model}, ${manifest.architecture}: load it with ${name}.fromPretrained`;
  throw refused(`the export of ${wanted.model}`, "directory", received);
}
