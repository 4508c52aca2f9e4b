// The classes of transformers that a model can be of, and the class of this package that loads each.
import { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { refused } from "../util/validation.js";
import type { ConfigFile } from "./config.js";
import type { Manifest } from "./manifest.js";

/**
 * What a model computes: "generation" by an encoder and a decoder, "encoder" by an encoder alone. A classifier of texts
 * has both, a classifier of tokens an encoder.
 */
export type ModelKind = "generation" | "encoder" | "sequenceClassification" | "tokenClassification";

/** The kind of each class of transformers, which `architecture` in manifest.json and `architectures` in config.json name. */
export const KINDS: ReadonlyMap<string, ModelKind> = new Map([
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

/** The name of T5ForConditionalGeneration in the first T5 checkpoints. */
export const FIRST_NAME = "T5WithLMHeadModel";

/** A class of this package. */
interface ModelClass {
  readonly name: string;
  /** The kinds of models that it loads. */
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

/** Whether a model of a kind has a decoder. */
export function hasDecoder(kind: ModelKind): boolean {
  return kind === "generation" || kind === "sequenceClassification";
}

/** What a checkpoint's config.json and weights say of its class. */
interface CheckpointClass {
  readonly kind: ModelKind;
  /** The class of transformers. */
  readonly architecture: string;
}

/**
 * The class of a Hugging Face checkpoint: the first of `architectures` that is known, else that of a whole model; that of
 * an encoder where the weights have no decoder. Throws ERR_MODEL_CORRUPT.
 */
export function checkpointClassOf(
  { architectures }: ConfigFile,
  weights: { readonly hasDecoder: boolean; readonly hasClassifier: boolean },
): CheckpointClass {
  const names: readonly unknown[] = Array.isArray(architectures) ? architectures : [];
  const known = names.find((name) => typeof name === "string" && (KINDS.has(name) || name === FIRST_NAME));
  if (names.length > 0 && known === undefined) {
    throw corrupt(`one of ${[...KINDS.keys()].join(", ")}`, "architectures in config.json", names[0]);
  }
  const architecture = typeof known === "string" ? known : "T5ForConditionalGeneration";
  const kind = KINDS.get(architecture) ?? "generation";
  if (kind !== "generation") return { kind, architecture };
  if (weights.hasClassifier) {
    const message = `Expected the class of a classifier for architectures in config.json, as the checkpoint has the weights of one, but received ${architecture}`;
    throw new T5Error("ERR_MODEL_CORRUPT", message);
  }
  return weights.hasDecoder ? { kind, architecture } : { kind: "encoder", architecture: "T5EncoderModel" };
}

/**
 * Refuses an export that the class for `kind` doesn't load, and names the class that does. Throws ERR_INVALID_ARGUMENT,
 * ERR_MODEL_CORRUPT.
 */
export function checkLoads(kind: ModelKind, manifest: Manifest): void {
  checkKind(kind, { kind: kindOf(manifest), architecture: manifest.architecture }, "the export");
}

/** As `checkLoads`, of a Hugging Face checkpoint. Throws ERR_INVALID_ARGUMENT. */
export function checkLoadsCheckpoint(kind: ModelKind, found: CheckpointClass): void {
  checkKind(kind, found, "the checkpoint");
}

function checkKind(kind: ModelKind, found: CheckpointClass, directory: string): void {
  const wanted = CLASSES[kind];
  if (wanted.loads.includes(found.kind)) return;
  const { name, model } = CLASSES[found.kind];
  const received = `that of ${model}, ${found.architecture}: load it with ${name}.fromPretrained`;
  throw refused(`${directory} of ${wanted.model}`, "directory", received);
}
