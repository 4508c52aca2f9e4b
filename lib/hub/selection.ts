// Which files of a repository a model needs.
import { T5Error } from "../util/errors.js";
import { checkObject, corrupt, parseJson } from "../util/json.js";
import { isInside } from "../util/paths.js";
import { MODULES, parseSentenceModules } from "./sentence-modules.js";

/** The files that can be had: those of a commit, or of an incomplete copy in the cache. */
export interface Available {
  has(path: string): boolean;
  /** The text of one of them. */
  read(path: string): Promise<string>;
}

/** Chooses files. Rejects with ERR_MODEL_NOT_FOUND where one is missing, ERR_MODEL_CORRUPT. */
export type Selection = (name: string, available: Available) => Promise<readonly string[]>;

const MANIFEST = "manifest.json";
const ARCHIVE = "model.pt";
const CONFIG = "config.json";
const WEIGHTS = "model.safetensors";
const WEIGHTS_INDEX = "model.safetensors.index.json";
const PICKLED = ["pytorch_model.bin", "pytorch_model.bin.index.json"];
const TOKENIZER = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "spiece.model",
];
/** Those of a sentence-transformers directory besides its modules. */
const SENTENCE_TRANSFORMERS = ["config_sentence_transformers.json", "sentence_bert_config.json"];
const MAX_SHARDS = 1000;

/** The files that loading a model reads: of an export those of its manifest, else those of a Hugging Face directory. */
export const selectModel: Selection = async (name, available) => {
  if (available.has(MANIFEST) && available.has(ARCHIVE)) return selectExport(name, available);
  if (available.has(MODULES)) return selectModules(name, available);
  return selectDirectory(name, available, "");
};

/** The files that loading a tokenizer reads. */
export const selectTokenizer: Selection = async (name, available) => {
  const found = TOKENIZER.filter((file) => available.has(file));
  if (found.length > 0) return found;
  throw missing(name, "a tokenizer (tokenizer.json, spiece.model or tokenizer_config.json)", "none");
};

async function selectExport(name: string, available: Available): Promise<readonly string[]> {
  const manifest = checkObject(parseJson(await available.read(MANIFEST), MANIFEST), MANIFEST);
  const listed = Object.keys(checkObject(manifest.files, `files in ${MANIFEST}`));
  for (const file of listed) {
    if (!isInside(file)) throw corrupt("a path inside the directory", `a file in ${MANIFEST}`, file);
    if (!available.has(file)) throw missing(name, `${file}, which ${MANIFEST} lists,`, "none");
  }
  return [...new Set([MANIFEST, ...listed])];
}

/** The files of a Hugging Face model in a folder of the repository; `prefix` is "" or ends with a slash. */
async function selectDirectory(name: string, available: Available, prefix: string): Promise<readonly string[]> {
  const config = prefix + CONFIG;
  if (!available.has(config)) throw missing(name, config, "none");
  const weights = await selectWeights(name, available, prefix);
  const others = ["generation_config.json", ...TOKENIZER, ...SENTENCE_TRANSFORMERS].map((file) => prefix + file);
  return [config, ...weights, ...others.filter((file) => available.has(file))];
}

async function selectWeights(name: string, available: Available, prefix: string): Promise<readonly string[]> {
  if (available.has(prefix + WEIGHTS)) return [prefix + WEIGHTS];
  const index = prefix + WEIGHTS_INDEX;
  if (available.has(index)) {
    const { weight_map: shards } = checkObject(parseJson(await available.read(index), index), index);
    const files = [...new Set(Object.values(checkObject(shards, `weight_map in ${index}`)))];
    if (files.length > MAX_SHARDS) throw corrupt(`at most ${MAX_SHARDS} files`, `weight_map in ${index}`, files);
    return [index, ...files.map((file) => checkShard(name, available, index, prefix, file))];
  }
  const pickled = PICKLED.find((file) => available.has(prefix + file));
  const found =
    pickled === undefined
      ? "none"
      : `only ${prefix}${pickled}, which \`npx torch-t5 export ${name} <directory>\` reads`;
  throw missing(name, prefix + WEIGHTS, found);
}

function checkShard(name: string, available: Available, index: string, prefix: string, file: unknown): string {
  if (typeof file !== "string" || !isInside(file) || !file.endsWith(".safetensors")) {
    throw corrupt("a .safetensors file inside the directory", `weight_map in ${index}`, file);
  }
  if (!available.has(prefix + file)) throw missing(name, `${prefix}${file}, which ${index} names,`, "none");
  return prefix + file;
}

/** The files of a sentence-transformers directory: those of the model, and the folders of the other modules. */
async function selectModules(name: string, available: Available): Promise<readonly string[]> {
  const { encoder, pooling, others } = parseSentenceModules(parseJson(await available.read(MODULES), MODULES));
  const prefixOf = (folder: string) => (folder === "" ? "" : `${folder}/`);
  const settings = SENTENCE_TRANSFORMERS.filter((file) => available.has(file));
  const model = await selectDirectory(name, available, prefixOf(encoder.folder));
  const modules = [pooling, ...others].flatMap(({ folder }) => selectModule(name, available, prefixOf(folder)));
  return [...new Set([MODULES, ...settings, ...model, ...modules])];
}

/** A pooling has a config.json, a dense module weights as well, and a normalization nothing. */
function selectModule(name: string, available: Available, prefix: string): readonly string[] {
  const found = [CONFIG, WEIGHTS].map((file) => prefix + file).filter((file) => prefix !== "" && available.has(file));
  const pickled = PICKLED.find((file) => prefix !== "" && available.has(prefix + file));
  if (pickled === undefined || found.includes(prefix + WEIGHTS)) return found;
  throw missing(
    name,
    prefix + WEIGHTS,
    `only ${prefix}${pickled}, which \`npx torch-t5 export ${name} <directory>\` reads`,
  );
}

function missing(name: string, what: string, found: string): T5Error {
  return new T5Error("ERR_MODEL_NOT_FOUND", `Expected ${what} in ${JSON.stringify(name)} but found ${found}`);
}
