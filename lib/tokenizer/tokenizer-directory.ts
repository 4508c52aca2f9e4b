// Finds the tokenizer of a directory, an exported or a Hugging Face one, with the results of transformers'
// AutoTokenizer.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { T5Error } from "../util/errors.js";
import { checkObject, corrupt, parseJson } from "../util/json.js";
import { isRecord } from "../util/validation.js";
import type { TokenizerBackend } from "./backend.js";
import { byteBackend } from "./byte-backend.js";
import { readSentencePieceModel } from "./sentencepiece-model.js";
import { extraT5Tokens, pipelineOfFile, pipelineOfSpiece, T5_TOKENS } from "./t5-pipeline.js";
import { type JsonObject, readArray } from "./tokenizer-json.js";
import { readTokenSettings, type TokenSettings, textToken, tokensToAdd, withDefaults } from "./tokenizer-settings.js";
import { readTruncationSettings, type TruncationSettings } from "./truncation.js";
import { unigramBackend } from "./unigram-backend.js";
import { unsupported } from "./unsupported.js";

interface FoundTokenizer {
  readonly backend: TokenizerBackend;
  readonly truncation: TruncationSettings;
}

/**
 * transformers' classes. T5Tokenizer builds T5's pipeline around a vocabulary, TokenizersBackend takes tokenizer.json
 * as it is.
 */
type TokenizerClass = "T5Tokenizer" | "TokenizersBackend" | "ByT5Tokenizer";

/** The files of a directory. */
interface Files {
  readonly tokenizerJson: JsonObject | undefined;
  readonly spiece: Buffer | undefined;
  /** tokenizer_config.json. */
  readonly config: JsonObject;
  /** config.json. */
  readonly modelConfig: JsonObject;
  /** Whether the exporter wrote the directory. */
  readonly isExported: boolean;
}

const SPIECE = "spiece.model";
/** The files of a Hugging Face directory that an exported one doesn't have, or that have no part in its tokenizer. */
const UNEXPORTED = ["special_tokens_map.json", "added_tokens.json", "config.json"];
/** For comparison: mT5's tokenizer.json has 17 MB, its spiece.model 4 MB. */
const MAX_BYTES = 2 ** 28;

/** AutoTokenizer's class for each `model_type`. */
const MODEL_CLASSES: ReadonlyMap<unknown, TokenizerClass> = new Map([
  ["t5", "T5Tokenizer"],
  ["mt5", "T5Tokenizer"],
  ["umt5", "TokenizersBackend"],
  ["byt5", "ByT5Tokenizer"],
]);
/**
 * AutoTokenizer's class for each `tokenizer_class`, without "Fast". For those that it doesn't have any more, it takes
 * tokenizer.json as it is.
 */
const NAMED_CLASSES: ReadonlyMap<string, TokenizerClass> = new Map([
  ["T5Tokenizer", "T5Tokenizer"],
  ["ByT5Tokenizer", "ByT5Tokenizer"],
  ["TokenizersBackend", "TokenizersBackend"],
  ["PreTrainedTokenizer", "TokenizersBackend"],
  ["PythonBackend", "TokenizersBackend"],
  ["MT5Tokenizer", "TokenizersBackend"],
]);

/** The tokenizer of a directory, or undefined if it has none. Rejects with ERR_MODEL_CORRUPT. */
export async function findTokenizer(path: string): Promise<FoundTokenizer | undefined> {
  const isExported = await readJson(path, "manifest.json").then(
    (manifest) => manifest?.formatVersion !== undefined,
    () => false,
  );
  // An export has no other files of a tokenizer: what the manifest doesn't list doesn't count.
  const names = ["tokenizer.json", "tokenizer_config.json", ...(isExported ? [] : UNEXPORTED)];
  const [tokenizerJson, config = {}, specialTokensMap, addedTokens, modelConfig = {}] = await Promise.all(
    names.map((name) => readJson(path, name)),
  );
  checkVersions(config.fast_tokenizer_files);
  const spiece = tokenizerJson === undefined && !isExported ? await readBytes(path, SPIECE) : undefined;
  const settings = readTokenSettings({ tokenizerJson, config, specialTokensMap, addedTokens });
  const backend = backendOf({ tokenizerJson, spiece, config, modelConfig, isExported }, settings);
  return backend && { backend, truncation: readTruncationSettings(config, tokenizerJson) };
}

/** Throws ERR_MODEL_CORRUPT for a tokenizer.json that is replaced by another one in some versions of transformers. */
function checkVersions(files: unknown): void {
  if (!Array.isArray(files) || files.every((file) => file === "tokenizer.json")) return;
  throw unsupported("only tokenizer.json", "fast_tokenizer_files in tokenizer_config.json", files);
}

function backendOf(files: Files, settings: TokenSettings): TokenizerBackend | undefined {
  const { tokenizerJson, spiece, config } = files;
  const className = classOf(files);
  if (className === "ByT5Tokenizer") return byteBackend(settings, config);
  if (tokenizerJson === undefined) return spiece && spieceBackend(spiece, config, settings);
  // The exporter wrote what AutoTokenizer makes, or the file as it is because it was asked to.
  if (className === "TokenizersBackend" || files.isExported) {
    return fileBackend(tokenizerJson, config, settings, className === "T5Tokenizer");
  }
  const named = withDefaults(settings.named, T5_TOKENS);
  const added = tokensToAdd(new Set(), settings.added, named, extraT5Tokens(settings, undefined));
  return unigramBackend(pipelineOfFile(tokenizerJson), {
    config,
    named,
    added,
    isReadByPython: true,
    endsWithEos: true,
  });
}

function spieceBackend(spiece: Buffer, config: JsonObject, settings: TokenSettings): TokenizerBackend {
  const model = readSentencePieceModel(spiece, SPIECE);
  const named = withDefaults(settings.named, T5_TOKENS);
  const added = tokensToAdd(new Set(), settings.added, named, extraT5Tokens(settings, model));
  const tokenizerJson = pipelineOfSpiece(model, SPIECE, settings.extraIds);
  return unigramBackend(tokenizerJson, { config, named, added, isReadByPython: true, endsWithEos: true });
}

function fileBackend(
  tokenizerJson: JsonObject,
  config: JsonObject,
  settings: TokenSettings,
  isReadByPython: boolean,
): TokenizerBackend {
  const { padding, added_tokens: saved } = tokenizerJson;
  const pad = isRecord(padding) && typeof padding.pad_token === "string" ? padding.pad_token : undefined;
  const defaults = new Map(pad === undefined ? [] : [["pad_token", textToken(pad)]]);
  const named = withDefaults(settings.named, defaults);
  const existing = readArray(saved ?? [], "added_tokens").map((token) => (isRecord(token) ? token.content : undefined));
  const added = tokensToAdd(new Set(existing), settings.added, named, settings.extra ?? settings.additional ?? []);
  return unigramBackend(tokenizerJson, { config, named, added, isReadByPython, endsWithEos: false });
}

/** The class that AutoTokenizer selects. Throws ERR_MODEL_CORRUPT for one that torch-t5 doesn't have. */
function classOf({ config, modelConfig, isExported, tokenizerJson }: Files): TokenizerClass {
  const registered = MODEL_CLASSES.get(modelConfig.model_type);
  const stated = config.tokenizer_class ?? modelConfig.tokenizer_class;
  if (typeof stated !== "string") return registered ?? "TokenizersBackend";
  if (registered === "TokenizersBackend") return registered;
  const known = NAMED_CLASSES.get(stated.replace(/Fast$/, ""));
  if (known !== undefined) return known;
  // Such a class may build a pipeline of its own. An export has what it builds.
  if (isExported || tokenizerJson === undefined) return "TokenizersBackend";
  const file = config.tokenizer_class === stated ? "tokenizer_config.json" : "config.json";
  const what = `one of ${[...NAMED_CLASSES.keys()].join(", ")} (\`torch-t5 export\` reads others)`;
  throw unsupported(what, `tokenizer_class in ${file}`, stated);
}

async function readJson(path: string, name: string): Promise<JsonObject | undefined> {
  const bytes = await readBytes(path, name);
  // Decoded in one piece: with 17 MB this takes half the time of readFile's own decoding, chunk by chunk.
  return bytes === undefined ? undefined : checkObject(parseJson(bytes.toString("utf8"), name), name);
}

/** The content of a file, or undefined if there is none. Rejects with ERR_MODEL_CORRUPT. */
async function readBytes(path: string, name: string): Promise<Buffer | undefined> {
  const file = join(path, name);
  try {
    const found = await stat(file);
    if (!found.isFile()) throw corrupt("a file", name, found.isDirectory() ? "a directory" : "another kind of entry");
    if (found.size > MAX_BYTES) throw corrupt(`at most ${MAX_BYTES} bytes`, `the size of ${name}`, found.size);
    return await readFile(file);
  } catch (cause) {
    if (cause instanceof T5Error) throw cause;
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new T5Error("ERR_MODEL_CORRUPT", `Expected a readable file for ${name} but received ${code}`, { cause });
  }
}
