// A directory of sentence-transformers: what follows its encoder. The settings are those that the exporter reads
// (scripts/export/t5_export/modules.py), so that an export and its source embed alike.
import { isDeepStrictEqual } from "node:util";
import { MODULES, parseSentenceModules, type SentenceModules } from "../hub/sentence-modules.js";
import type { NativeDenseWeights } from "../native/types.js";
import { readTruncationSettings } from "../tokenizer/truncation.js";
import { cut } from "../util/describe.js";
import { T5Error } from "../util/errors.js";
import { checkObject, corrupt } from "../util/json.js";
import { INT32_MAX, isRecord, refused } from "../util/validation.js";
import {
  ACTIVATIONS,
  type Activation,
  denseWeights,
  type EmbeddingConfig,
  type EmbeddingModule,
  isSize,
  type Pooling,
} from "./embedding.js";
import { refusePickled } from "./export-command.js";
import { findFile, findFolder, readJsonFile } from "./files.js";
import { readFloats, type StoredTensor } from "./safetensors.js";

/** How a directory makes embeddings of its encoder's output. */
export interface SentenceEmbedding {
  readonly config: EmbeddingConfig;
  /** The weights of its dense modules, in order. */
  readonly dense: readonly NativeDenseWeights[];
}

type JsonObject = Readonly<Record<string, unknown>>;

/** A JSON file of settings, and its path for messages. */
interface Settings {
  readonly file: string;
  readonly values: JsonObject;
}

const SETTINGS = "config_sentence_transformers.json";
const TRANSFORMER_SETTINGS = "sentence_bert_config.json";
const MODULE_CONFIG = "config.json";
const TOKENIZER_CONFIG = "tokenizer_config.json";
const WEIGHTS = "model.safetensors";
/** The modes in the order in which the vectors of several are concatenated, and the flag of each in older directories. */
const POOLING_FLAGS: ReadonlyMap<Pooling, string> = new Map([
  ["cls", "pooling_mode_cls_token"],
  ["max", "pooling_mode_max_tokens"],
  ["mean", "pooling_mode_mean_tokens"],
  ["mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens"],
  ["weightedmean", "pooling_mode_weightedmean_tokens"],
  ["lasttoken", "pooling_mode_lasttoken"],
]);
const MODES = [...POOLING_FLAGS.keys()];
const TORCH = "torch.nn.";
const DEFAULT_ACTIVATION = "torch.nn.modules.activation.Tanh";
const SENTENCE = "sentence_embedding";
/** What sentence-transformers assumes of a directory, and the one value of each that torch-t5 can apply. */
const TRANSFORMER_VALUES: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ["do_lower_case", false],
  ["transformer_task", "feature-extraction"],
  ["modality_config", { text: { method: "forward", method_output_name: "last_hidden_state" } }],
  ["module_output_name", "token_embeddings"],
]);
/** Prompts that every model has. */
const DEFAULT_PROMPTS = { query: "", document: "" };
/** sentence-transformers excludes the prompts of these from pooling, whatever their files state. */
const INSTRUCTORS = ["hkunlp/instructor-base", "hkunlp/instructor-large", "hkunlp/instructor-xl"];
const MAX_TEXT_LENGTH = 100;

/** The modules of a directory; undefined where it is none of sentence-transformers. Rejects with ERR_MODEL_CORRUPT. */
export async function readSentenceModules(path: string): Promise<SentenceModules | undefined> {
  const value = await readJsonFile(path, MODULES);
  return value === undefined ? undefined : parseSentenceModules(value);
}

/** The folder of the encoder, which is a Hugging Face directory. Rejects with ERR_MODEL_CORRUPT. */
export async function encoderFolder(path: string, { encoder }: SentenceModules): Promise<string> {
  if (encoder.folder === "") return path;
  const found = await findFolder(path, encoder.folder);
  if (found !== undefined) return found;
  throw refused(`${encoder.folder}, which ${MODULES} names,`, "directory", "none", "ERR_MODEL_CORRUPT");
}

/**
 * Reads all that follows the encoder. `source` is the directory or the name that the caller gave. Rejects with
 * ERR_MODEL_CORRUPT, also for a setting that torch-t5 can't apply, and with ERR_MODEL_NOT_FOUND for pickled weights.
 */
export async function readSentenceEmbedding(
  path: string,
  { encoder, pooling, others }: SentenceModules,
  dModel: number,
  source: string,
): Promise<SentenceEmbedding> {
  const settings = await readSettings(path, SETTINGS);
  requireValue(settings, "model_type", "SentenceTransformer");
  const pooled = await readModuleConfig(path, pooling.folder);
  if (pooled === undefined) throw lacking(fileIn(pooling.folder, MODULE_CONFIG));
  const modes = readModes(pooled);
  const isNew = pooled.values.embedding_dimension !== undefined;
  requireValue(pooled, isNew ? "embedding_dimension" : "word_embedding_dimension", dModel);
  const modules: EmbeddingModule[] = [];
  const weights = new Map<string, StoredTensor>();
  let width = dModel * modes.length;
  for (const { name, folder } of others) {
    if (name === "Normalize") {
      requireSentence(await readModuleConfig(path, folder));
      modules.push(Object.freeze({ type: "normalize" }));
    } else if (name === "Dense") {
      const { module, tensors } = await readDense(path, folder, width);
      for (const [tensor, stored] of tensors) weights.set(`${modules.length}.${tensor}`, stored);
      modules.push(module);
      width = module.outputs;
    }
  }
  const config = Object.freeze({
    pooling: Object.freeze(modes),
    includePrompt: pooled.values.include_prompt !== false && !INSTRUCTORS.includes(source),
    modules: Object.freeze(modules),
    ...readPrompts(settings),
    maxSeqLength: await readMaxSeqLength(path, encoder.folder),
  });
  return { config, dense: denseWeights(config, weights) };
}

/** A dense module, and its weights by the names "weight" and "bias". */
async function readDense(path: string, folder: string, width: number) {
  const config = await readModuleConfig(path, folder);
  if (config === undefined) throw lacking(fileIn(folder, MODULE_CONFIG));
  requireSentence(config);
  requireValue(config, "use_residual", false);
  requireValue(config, "in_features", width);
  const activation = readActivation(config);
  const { out_features: outputs, bias } = config.values;
  if (!isSize(outputs)) throw corrupt("a positive integer", `out_features in ${config.file}`, outputs);
  const hasBias = bias !== false;
  const shapes = new Map<string, readonly number[]>([["linear.weight", [outputs, width]]]);
  if (hasBias) shapes.set("linear.bias", [outputs]);
  const name = fileIn(folder, WEIGHTS);
  const file = await findFile(path, name);
  if (file === undefined) {
    await refusePickled(path, name);
    throw lacking(name);
  }
  const tensors = await readFloats(file, name, shapes);
  const module = Object.freeze({ type: "dense" as const, inputs: width, outputs, bias: hasBias, activation });
  return { module, tensors: [...tensors].map(([tensor, stored]) => [tensor.replace("linear.", ""), stored] as const) };
}

function readModes({ file, values }: Settings): Pooling[] {
  const { pooling_mode: given } = values;
  if (given === undefined || given === null) {
    const flagged = MODES.filter((mode) => isTrue(values[POOLING_FLAGS.get(mode) ?? ""]));
    return flagged.length > 0 ? flagged : ["mean"];
  }
  const names: readonly unknown[] = Array.isArray(given) ? given : [given];
  const modes = names.flatMap((name) => MODES.find((mode) => mode === name) ?? []);
  if (modes.length > 0 && modes.length === names.length && modes.length <= MODES.length) return modes;
  throw corrupt(`some of ${MODES.join(", ")}`, `pooling_mode in ${file}`, given);
}

/** A flag of the older directories, as Python reads it. */
function isTrue(value: unknown): boolean {
  return value === true || value === 1;
}

function readActivation({ file, values }: Settings): Activation {
  const { activation_function: given = DEFAULT_ACTIVATION } = values;
  const name = typeof given === "string" && given.startsWith(TORCH) ? given.split(".").at(-1) : undefined;
  const known = ACTIVATIONS.find((activation) => activation.torch === name);
  if (known !== undefined) return known.name;
  const names = ACTIVATIONS.map(({ torch }) => torch).join(", ");
  throw corrupt(`${names} of torch.nn`, `activation_function in ${file}`, given);
}

function readPrompts({ file, values }: Settings): Pick<EmbeddingConfig, "prompts" | "defaultPromptName"> {
  const given = values.prompts ?? {};
  const isText = (text: unknown) => typeof text === "string" || text === null;
  if (!isRecord(given) || !Object.values(given).every(isText)) {
    throw corrupt("texts by name", `prompts in ${file}`, given);
  }
  const named = Object.entries(given).map(([name, text]) => [name, text === null ? "" : String(text)]);
  const prompts: Readonly<Record<string, string>> = { ...DEFAULT_PROMPTS, ...Object.fromEntries(named) };
  const name = values.default_prompt_name ?? undefined;
  if (name !== undefined && !(typeof name === "string" && Object.hasOwn(prompts, name))) {
    throw corrupt("the name of a prompt", `default_prompt_name in ${file}`, name);
  }
  return { prompts: Object.freeze(prompts), defaultPromptName: name };
}

/** The number of ids that texts are truncated to: the Transformer's, else the tokenizer's. */
async function readMaxSeqLength(path: string, folder: string): Promise<number | undefined> {
  const settings = await readSettings(path, fileIn(folder, TRANSFORMER_SETTINGS));
  const { file, values } = settings;
  for (const [name, value] of Object.entries(values)) {
    if (name === "max_seq_length" || value === null || isEmpty(value)) continue;
    if (TRANSFORMER_VALUES.has(name)) requireValue(settings, name, TRANSFORMER_VALUES.get(name));
    else throw refused(`no ${cut(name, MAX_TEXT_LENGTH)}`, file, asText(value), "ERR_MODEL_CORRUPT");
  }
  const tokenizer = (await readSettings(path, fileIn(folder, TOKENIZER_CONFIG))).values;
  const given = values.max_seq_length ?? readTruncationSettings(tokenizer, undefined).modelMaxLength;
  // Tokenizers without a limit state a larger one.
  if (given === undefined || (typeof given === "number" && given > INT32_MAX)) return undefined;
  if (isSize(given)) return given;
  throw corrupt("a positive integer", `max_seq_length in ${file}`, given);
}

/** Whether a setting of a Transformer states nothing. */
function isEmpty(value: unknown): boolean {
  return (isRecord(value) || Array.isArray(value)) && Object.keys(value).length === 0;
}

/** Refuses a module that reads or writes anything but the embedding. */
function requireSentence(config: Settings | undefined): void {
  if (config === undefined) return;
  for (const name of ["module_input_name", "module_output_name"]) requireValue(config, name, SENTENCE);
}

/** Refuses another value of a setting, which may be absent. */
function requireValue({ file, values }: Settings, name: string, value: unknown): void {
  const found = values[name];
  if (found === undefined || found === null || isDeepStrictEqual(found, value)) return;
  throw refused(asText(value), `${name} in ${file}`, asText(found), "ERR_MODEL_CORRUPT");
}

/** The settings of a file; none where it is absent. */
async function readSettings(path: string, file: string): Promise<Settings> {
  const value = await readJsonFile(path, file);
  return { file, values: value === undefined ? {} : checkObject(value, file) };
}

/** The config.json of a module; undefined where there is none. */
async function readModuleConfig(path: string, folder: string): Promise<Settings | undefined> {
  // The one in the directory itself is the encoder's.
  if (folder === "") return undefined;
  const file = fileIn(folder, MODULE_CONFIG);
  const value = await readJsonFile(path, file);
  return value === undefined ? undefined : { file, values: checkObject(value, file) };
}

function fileIn(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

function asText(value: unknown): string {
  return cut(JSON.stringify(value), MAX_TEXT_LENGTH);
}

function lacking(file: string): T5Error {
  return new T5Error("ERR_MODEL_CORRUPT", `Expected ${file}, as ${MODULES} names its folder, but found none`);
}
