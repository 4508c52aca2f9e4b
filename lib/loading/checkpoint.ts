// A Hugging Face directory, as `save_pretrained` writes it: config.json and safetensors files. Nothing of it is
// unpickled or compiled.
import process from "node:process";
import { MODULES } from "../hub/sentence-modules.js";
import type { NativeArchitecture, NativeDenseWeights, NativeStoredWeights } from "../native/types.js";
import { cut } from "../util/describe.js";
import { T5Error } from "../util/errors.js";
import { checkObject, corrupt } from "../util/json.js";
import { isInside } from "../util/paths.js";
import { isRecord, refused } from "../util/validation.js";
import { checkLoadsCheckpoint, checkpointClassOf, type ModelKind } from "./architectures.js";
import { findWeights, haveClassifier, haveDecoder, refusePrefix, type WeightFile } from "./checkpoint-weights.js";
import { type ConfigFile, generationConfigOf, parseConfig, parseGenerationConfig, readArchitecture } from "./config.js";
import type { ModelDirectory } from "./directory.js";
import { refusePickled } from "./export-command.js";
import { findFile, readJsonFile } from "./files.js";
import { type Labels, labelsOf, withDefaultLabels } from "./labels.js";
import { readSafetensorsHeader, type SafetensorsHeader } from "./safetensors.js";
import { encoderFolder, readSentenceEmbedding, readSentenceModules } from "./sentence-transformers.js";

/** A Hugging Face directory, its configuration and the headers of its weights read and checked. */
export interface Checkpoint {
  readonly directory: ModelDirectory;
  readonly labels: Labels;
  readonly architecture: NativeArchitecture;
  readonly weights: NativeStoredWeights;
  /** The weights of the dense modules after an encoder, in order. */
  readonly dense: readonly NativeDenseWeights[];
}

const SAFETENSORS = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const ADAPTER_CONFIG = "adapter_config.json";
const ADAPTER = [ADAPTER_CONFIG, "adapter_model.safetensors", "adapter_model.bin"];
/** The class of every sentence-transformers directory, whatever its config.json names. */
const SENTENCE_ENCODER = { kind: "encoder", architecture: "T5EncoderModel" } as const;
const UNKNOWN_BASE = "base";
const MAX_NAMED = 3;
const MAX_NAME_LENGTH = 60;

/** Whether a directory has the files of a Hugging Face checkpoint. Rejects with ERR_MODEL_CORRUPT. */
export async function isCheckpoint(path: string): Promise<boolean> {
  const names = ["config.json", MODULES, ...ADAPTER];
  const found = await Promise.all(names.map((name) => findFile(path, name)));
  return found.some((file) => file !== undefined);
}

/** The kind of model that a Hugging Face directory has. Rejects as `readCheckpoint`. */
export async function readCheckpointKind(path: string): Promise<ModelKind> {
  await refuseAdapter(path);
  if ((await readSentenceModules(path)) !== undefined) return SENTENCE_ENCODER.kind;
  const files = await readWeightFiles(path, path);
  return classOf(await readConfigFile(path), files).kind;
}

/**
 * Reads a directory of transformers or of sentence-transformers for the class of a kind. `precision` is for messages,
 * `source` the directory or the name that the caller gave. Rejects with ERR_INVALID_ARGUMENT, ERR_MODEL_NOT_FOUND,
 * ERR_MODEL_CORRUPT.
 */
export async function readCheckpoint(
  path: string,
  kind: ModelKind,
  precision: string,
  source: string,
): Promise<Checkpoint> {
  await refuseAdapter(path);
  const modules = await readSentenceModules(path);
  if (modules === undefined) return readModel(path, kind, precision, path);
  checkLoadsCheckpoint(kind, SENTENCE_ENCODER);
  const folder = await encoderFolder(path, modules);
  if (folder !== path) await refuseAdapter(folder);
  const model = await readModel(folder, kind, precision, path);
  const { directory } = model;
  const { config: embedding, dense } = await readSentenceEmbedding(path, modules, directory.config.dModel, source);
  return { ...model, directory: { ...directory, embedding }, dense };
}

/** Reads the model of transformers in a folder of the directory that was loaded. */
async function readModel(path: string, kind: ModelKind, precision: string, loaded: string): Promise<Checkpoint> {
  const files = await readWeightFiles(path, loaded);
  const read = await readConfigFile(path);
  const configFile = withDefaultLabels(kind, read);
  const generation = await readJsonFile(path, "generation_config.json");
  const generationConfig = generation === undefined ? generationConfigOf(read) : parseGenerationConfig(generation);
  const config = parseConfig(configFile, generationConfig);
  // The class of an encoder loads any checkpoint, as in transformers.
  if (kind !== "encoder") checkLoadsCheckpoint(kind, classOf(read, files));
  if (kind === "sequenceClassification") requireStart(config.modelType, read);
  const labels = labelsOf(kind, configFile);
  const architecture = readArchitecture(config, configFile, precision);
  const { stored, unexpected } = findWeights(files, { kind, architecture, numLabels: labels.numLabels });
  warnOf(path, unexpected);
  return {
    directory: { path, config, configFile, generationConfig, embedding: undefined },
    labels,
    architecture,
    weights: stored,
    dense: [],
  };
}

/** Hugging Face's T5 has no default of the id that a classifier's decoder starts with. Throws ERR_MODEL_CORRUPT. */
function requireStart(modelType: string, { decoder_start_token_id: start }: ConfigFile): void {
  if (modelType !== "t5" || (start !== undefined && start !== null)) return;
  throw corrupt("an id of the vocabulary", "decoder_start_token_id in config.json", start);
}

function classOf(config: ConfigFile, files: readonly WeightFile[]): ReturnType<typeof checkpointClassOf> {
  return checkpointClassOf(config, { hasDecoder: haveDecoder(files), hasClassifier: haveClassifier(files) });
}

/** config.json. Rejects with ERR_MODEL_NOT_FOUND, ERR_MODEL_CORRUPT. */
async function readConfigFile(path: string): Promise<ConfigFile> {
  const value = await readJsonFile(path, "config.json");
  if (value === undefined) throw notFound(path, "config.json");
  const file = checkObject(value, "config.json");
  if (file.quantization_config !== undefined && file.quantization_config !== null) {
    const message = "Expected unquantized weights but received a quantization_config in config.json";
    throw new T5Error("ERR_MODEL_CORRUPT", message);
  }
  return file;
}

/** Refuses directories of which config.json and the weights are only a part. */
async function refuseAdapter(path: string): Promise<void> {
  for (const name of ADAPTER) {
    if ((await findFile(path, name)) !== undefined) throw await adapterRefused(path, name);
  }
}

async function adapterRefused(path: string, name: string): Promise<T5Error> {
  const isBeside = (await findFile(path, "config.json")) !== undefined;
  const settings = await readJsonFile(path, ADAPTER_CONFIG);
  const named = isRecord(settings) ? settings.base_model_name_or_path : undefined;
  const known = typeof named === "string" && named !== "" ? cut(named, MAX_NAME_LENGTH) : UNKNOWN_BASE;
  // Beside its base model the adapter is loaded with it, and a second time by peft.
  const [base, adapter] = isBeside ? [path, `${path}/adapter`] : [known, path];
  const first = isBeside ? `move the files adapter_* to ${adapter}, then in Python` : "in Python";
  const loaded = `AutoModelForSeq2SeqLM.from_pretrained(${JSON.stringify(base)})`;
  const merged = `PeftModel.from_pretrained(${loaded}, ${JSON.stringify(adapter)}).merge_and_unload()`;
  const python = `from peft import PeftModel; from transformers import AutoModelForSeq2SeqLM; model = ${merged}; model.save_pretrained("merged")`;
  const received = `${name}: merge it into the base model and load the result (${first}: ${python})`;
  return refused("a checkpoint without an adapter", "directory", received);
}

/** The headers of the files that Hugging Face would load: one file, or the shards of an index. */
async function readWeightFiles(path: string, loaded: string): Promise<readonly WeightFile[]> {
  const single = await findFile(path, SAFETENSORS);
  if (single !== undefined) return [{ name: SAFETENSORS, path: single, header: await readHeader(single, SAFETENSORS) }];
  const index = await readJsonFile(path, INDEX);
  if (index !== undefined) return readShards(path, index);
  await refusePickled(path, SAFETENSORS, loaded);
  throw notFound(path, SAFETENSORS);
}

async function readShards(path: string, index: unknown): Promise<readonly WeightFile[]> {
  const map = checkObject(checkObject(index, INDEX).weight_map, `weight_map in ${INDEX}`);
  const names = new Set<string>();
  for (const name of Object.values(map)) {
    if (typeof name !== "string" || !isInside(name)) {
      throw corrupt("files inside the directory", `weight_map in ${INDEX}`, name);
    }
    names.add(name);
  }
  const shards = new Map<string, WeightFile>();
  for (const name of [...names].sort()) {
    const found = await findFile(path, name);
    if (found === undefined) {
      const message = `Expected ${JSON.stringify(name)}, which ${INDEX} names, in ${JSON.stringify(path)} but found none`;
      throw new T5Error("ERR_MODEL_CORRUPT", message);
    }
    shards.set(name, { name, path: found, header: await readHeader(found, name) });
  }
  for (const [weight, name] of Object.entries(map)) {
    if (shards.get(String(name))?.header.tensors.has(weight)) continue;
    throw refused(`${cut(weight, MAX_NAME_LENGTH)}, which ${INDEX} names,`, String(name), "none", "ERR_MODEL_CORRUPT");
  }
  return [...shards.values()];
}

async function readHeader(path: string, name: string): Promise<SafetensorsHeader> {
  try {
    const header = await readSafetensorsHeader(path, name);
    refusePrefix(path, header);
    return header;
  } catch (thrown) {
    if (thrown instanceof T5Error) throw thrown;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const message = `Expected a readable file for ${name} but received: ${reason}`;
    throw new T5Error("ERR_MODEL_CORRUPT", message, { cause: thrown });
  }
}

/** Warns of weights that are no part of the model, as Hugging Face does. */
function warnOf(path: string, names: readonly string[]): void {
  if (names.length === 0) return;
  const named = names.slice(0, MAX_NAMED).map((name) => cut(name, MAX_NAME_LENGTH));
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
  const message = `Some weights of ${JSON.stringify(path)} are no part of its model and are not used: ${named.join(", ")}${more}`;
  process.emitWarning(message, { type: "TorchT5Warning", code: "TORCH_T5_UNUSED_WEIGHTS" });
}

function notFound(path: string, name: string): T5Error {
  const message = `Expected a directory that \`torch-t5 export\` wrote for the model but found no manifest.json in ${JSON.stringify(path)}, or a Hugging Face directory but found no ${name}`;
  return new T5Error("ERR_MODEL_NOT_FOUND", message);
}
