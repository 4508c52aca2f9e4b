// The special and added tokens of a tokenizer, as transformers' from_pretrained merges them from the files of its
// directory, those of older versions included: `PreTrainedTokenizerBase._from_pretrained` of transformers 5.23.
import type { T5Error } from "../util/errors.js";
import { corrupt } from "../util/json.js";
import { INT32_MAX, isRecord } from "../util/validation.js";
import { type AddedToken, readAddedToken } from "./added-vocabulary.js";
import { type JsonObject, readArray } from "./tokenizer-json.js";

/** The JSON files of a tokenizer's directory. */
export interface TokenizerFiles {
  readonly tokenizerJson?: JsonObject | undefined;
  /** tokenizer_config.json; an empty object if there is none. */
  readonly config: JsonObject;
  readonly specialTokensMap?: JsonObject | undefined;
  readonly addedTokens?: JsonObject | undefined;
}

/** An added token whose flag `normalized` may not be stated: it is then the opposite of `special`. */
export type StatedToken = Omit<AddedToken, "normalized"> & { readonly normalized?: boolean | undefined };

/** A token of a setting. */
export interface Token extends StatedToken {
  /** The setting is only the token's text: a class may give it other flags. */
  readonly isText: boolean;
}

export interface TokenSettings {
  /** The special tokens with a name, such as `eos_token`, in transformers' order; undefined where it is stated as null. */
  readonly named: ReadonlyMap<string, Token | undefined>;
  /** `extra_special_tokens`; undefined where no file states them, so that the class does. */
  readonly extra: readonly Token[] | undefined;
  /** `additional_special_tokens`, where they are stated beside or before `extra_special_tokens`. */
  readonly additional: readonly Token[] | undefined;
  /** The added tokens by their ids in the files, in the order of these. */
  readonly added: ReadonlyMap<number, StatedToken>;
  /** `extra_ids`, the number of T5's sentinels; undefined where no file states it. */
  readonly extraIds: number | undefined;
}

const TOKENIZER_CONFIG = "tokenizer_config.json";
const SPECIAL_TOKENS_MAP = "special_tokens_map.json";
const ADDED_TOKENS = "added_tokens.json";

/** transformers' SPECIAL_TOKENS_ATTRIBUTES. */
const NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
const TOKEN_SUFFIX = "_token";
const FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"] as const;
/** Checkpoints have at most 300 sentinels. */
const MAX_EXTRA_IDS = 2 ** 16;

/** A value of a setting, and where it is. */
interface Setting {
  readonly value: unknown;
  readonly key: string;
  readonly file: string;
}

/** Merges the files. Throws ERR_MODEL_CORRUPT. */
export function readTokenSettings(files: TokenizerFiles): TokenSettings {
  const { config, specialTokensMap = {}, addedTokens = {}, tokenizerJson } = files;
  const settings = new Map<string, Setting>();
  for (const [key, value] of Object.entries(config)) settings.set(key, { value, key, file: TOKENIZER_CONFIG });
  const additional = settings.get("additional_special_tokens");
  if (additional !== undefined && isEmpty(settings.get("extra_special_tokens")?.value)) {
    settings.set("extra_special_tokens", additional);
    settings.delete("additional_special_tokens");
  }
  const ofModel = takeModelTokens(settings);
  const added = new Map<number, StatedToken>();
  if (settings.has("added_tokens_decoder")) {
    addDecoder(added, config.added_tokens_decoder);
  } else {
    mergeMap(settings, specialTokensMap);
    for (const [name, token] of takeMembers(settings, "extra_special_tokens")) ofModel.set(name, token);
    addFile(added, addedTokens, specialContents(settings));
    addSaved(added, tokenizerJson?.added_tokens);
  }
  const extraIds = settings.get("extra_ids")?.value;
  const isStated = settings.get("additional_special_tokens")?.value !== null;
  return {
    named: namedTokens(settings, ofModel, added),
    extra: tokenList(settings.get("extra_special_tokens")),
    additional: isStated ? tokenList(settings.get("additional_special_tokens")) : undefined,
    added: new Map([...added].sort(([a], [b]) => a - b)),
    extraIds: extraIds === undefined ? undefined : readExtraIds(extraIds),
  };
}

/** The tokens that a tokenizer adds itself, with the flags that transformers gives to a text. */
export function textToken(content: string): Token {
  const flags = { singleWord: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return { content, ...flags, isText: true };
}

/** The token of an extra id, a sentinel of T5's pretraining. */
export function extraToken(index: number): string {
  return `<extra_id_${index}>`;
}

/** The ERR_MODEL_CORRUPT for a number of listed sentinels that isn't `extra_ids`. */
export function contradiction(extraIds: number, count: number): T5Error {
  return corrupt(`${extraIds} tokens, as extra_ids states,`, "the <extra_id_N> of additional_special_tokens", count);
}

/** The named tokens with a class's own ones where the files state nothing, in transformers' order. */
export function withDefaults(
  named: ReadonlyMap<string, Token | undefined>,
  defaults: ReadonlyMap<string, Token>,
): ReadonlyMap<string, Token> {
  const all = new Map([...defaults, ...named]);
  return new Map(
    [...NAMES, ...all.keys()].flatMap((name) => {
      const token = all.get(name);
      return token === undefined ? [] : [[name, token] as const];
    }),
  );
}

/**
 * The tokens that transformers' TokenizersBackend adds to a tokenizer, in order: the added ones, then special ones that
 * are not among them or among `existing`.
 */
export function tokensToAdd(
  existing: ReadonlySet<unknown>,
  added: ReadonlyMap<number, StatedToken>,
  named: ReadonlyMap<string, Token>,
  extra: readonly Token[],
): readonly AddedToken[] {
  const namedContents = new Set(Array.from(named.values(), ({ content }) => content));
  const known = new Set(existing);
  for (const { content } of added.values()) known.add(content);
  const tokens: StatedToken[] = [...added.values()];
  const seen = new Set<string>();
  for (const token of [...named.values(), ...extra]) {
    const key = JSON.stringify(token);
    if (known.has(token.content) || seen.has(key)) continue;
    seen.add(key);
    tokens.push(token);
  }
  return tokens.map((token) => {
    const special = token.special || namedContents.has(token.content);
    return { ...token, special, normalized: token.normalized ?? !special };
  });
}

/** Whether Python counts a value of JSON as false. */
function isEmpty(value: unknown): boolean {
  if (isRecord(value)) return Object.keys(value).length === 0;
  return !value || (Array.isArray(value) && value.length === 0);
}

/** Applies special_tokens_map.json, whose tokens replace those of tokenizer_config.json. */
function mergeMap(settings: Map<string, Setting>, map: JsonObject): void {
  for (const [key, value] of Object.entries(map)) {
    const given = { value, key, file: SPECIAL_TOKENS_MAP };
    if (key === "extra_special_tokens" && Array.isArray(value)) {
      const before = settings.get(key)?.value;
      const more = value.map((each: unknown) => (isRecord(each) ? { ...each, special: true } : each));
      settings.set(key, { ...given, value: Array.isArray(before) ? [...before, ...more] : more });
    } else {
      settings.set(
        key,
        isRecord(value) && "content" in value ? { ...given, value: { ...value, special: true } } : given,
      );
    }
  }
}

/**
 * The texts of the special tokens stated so far: those of added_tokens.json that equal one are special. Objects of
 * tokenizer_config.json, which have a `__type`, don't count: transformers has not read them at this point.
 */
function specialContents(settings: ReadonlyMap<string, Setting>): ReadonlySet<unknown> {
  const extra = settings.get("extra_special_tokens")?.value;
  const tokens = [...NAMES.map((name) => settings.get(name)?.value), ...(Array.isArray(extra) ? extra : [])];
  return new Set(tokens.map((token: unknown) => (isRecord(token) && !("__type" in token) ? token.content : token)));
}

/** The tokens with a name: transformers' own names, then those of a model. */
function namedTokens(
  settings: ReadonlyMap<string, Setting>,
  ofModel: ReadonlyMap<string, Setting>,
  added: ReadonlyMap<number, StatedToken>,
): ReadonlyMap<string, Token | undefined> {
  const byContent = new Map<string | undefined, StatedToken>();
  for (const token of added.values()) byContent.set(token.content, token);
  const named = new Map<string, Token | undefined>();
  for (const name of NAMES) {
    const stated = settings.get(name);
    if (stated === undefined) continue;
    const token = tokenOf(stated);
    const saved = byContent.get(token?.content);
    named.set(name, saved === undefined ? token : { ...saved, isText: false });
  }
  const others = Array.from(settings).filter(([key, { value }]) => isModelToken(key) && isToken(value));
  for (const [name, given] of [...others, ...ofModel]) {
    const token = tokenOf(given);
    if (token !== undefined) named.set(name, token);
  }
  return named;
}

/** Takes the tokens of tokenizer_config.json that only one model has out of the settings. */
function takeModelTokens(settings: Map<string, Setting>): Map<string, Setting> {
  const tokens = new Map<string, Setting>();
  for (const [key, given] of settings) {
    if (!isModelToken(key) || typeof given.value !== "string") continue;
    tokens.set(key, given);
    settings.delete(key);
  }
  for (const [name, token] of takeMembers(settings, "extra_special_tokens")) tokens.set(name, token);
  const saved = takeMembers(settings, "model_specific_special_tokens");
  return tokens.size > 0 ? tokens : saved;
}

/** Takes the tokens of an object out of the settings. */
function takeMembers(settings: Map<string, Setting>, key: string): Map<string, Setting> {
  const given = settings.get(key);
  if (given === undefined || !isRecord(given.value)) return new Map();
  settings.delete(key);
  const members = Object.entries(given.value);
  return new Map(members.map(([name, value]) => [name, { ...given, value, key: `${key}.${name}` }]));
}

/** Whether a setting is named as a special token that only one model has, such as `image_token`. */
function isModelToken(key: string): boolean {
  return key.endsWith(TOKEN_SUFFIX) && !NAMES.includes(key);
}

function isToken(value: unknown): boolean {
  return typeof value === "string" || isRecord(value);
}

function addDecoder(added: Map<number, StatedToken>, decoder: unknown): void {
  const name = `added_tokens_decoder in ${TOKENIZER_CONFIG}`;
  if (!isRecord(decoder)) throw corrupt("an object", name, decoder);
  const contents = new Set<string>();
  for (const [id, value] of Object.entries(decoder)) {
    const key = `added_tokens_decoder[${id}]`;
    if (!isRecord(value)) throw corrupt("an object", `${key} in ${TOKENIZER_CONFIG}`, value);
    const token = objectToken(value, key, TOKENIZER_CONFIG);
    if (contents.has(token.content)) throw corrupt("contents that differ", name, token.content);
    contents.add(token.content);
    added.set(readId(/^\d+$/.test(id) ? Number(id) : id, name), token);
  }
}

function addFile(added: Map<number, StatedToken>, file: JsonObject, special: ReadonlySet<unknown>): void {
  for (const [content, id] of Object.entries(file)) {
    const isSpecial = special.has(content);
    const token = { ...textToken(content), normalized: !isSpecial, special: isSpecial, isText: false };
    added.set(readId(id, `${JSON.stringify(content)} in ${ADDED_TOKENS}`), token);
  }
}

function addSaved(added: Map<number, StatedToken>, saved: unknown): void {
  for (const [index, value] of readArray(saved ?? [], "added_tokens").entries()) {
    const token = readAddedToken(value, `added_tokens[${index}]`);
    added.set(readId(isRecord(value) ? value.id : undefined, `added_tokens[${index}].id in tokenizer.json`), token);
  }
}

function readId(id: unknown, name: string): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= INT32_MAX) return id;
  throw corrupt("an id", name, id);
}

function readExtraIds(count: unknown): number {
  if (typeof count === "number" && Number.isInteger(count) && count >= 0 && count <= MAX_EXTRA_IDS) return count;
  throw corrupt(`an integer from 0 to ${MAX_EXTRA_IDS}`, `extra_ids in ${TOKENIZER_CONFIG}`, count);
}

/** The tokens of a list; undefined where there is no list. */
function tokenList(list: Setting | undefined): readonly Token[] | undefined {
  if (list === undefined) return undefined;
  const { value, key, file } = list;
  if (value === null) return [];
  if (!Array.isArray(value)) throw corrupt("an array of tokens", `${key} in ${file}`, value);
  return value.flatMap((each: unknown, index) => tokenOf({ value: each, key: `${key}[${index}]`, file }) ?? []);
}

/** A token stated as its text or as an object with its flags; undefined where there is none. */
function tokenOf(given: Setting | undefined): Token | undefined {
  if (given === undefined || given.value === null) return undefined;
  const { value, key, file } = given;
  if (typeof value === "string") return textToken(value);
  if (!isRecord(value)) throw corrupt("a token", `${key} in ${file}`, value);
  return { ...objectToken(value, key, file), isText: false };
}

/** An AddedToken of transformers, whose flags are false by default. */
function objectToken(value: JsonObject, name: string, file: string): StatedToken {
  const { content } = value;
  if (typeof content !== "string") throw corrupt("a string", `${name}.content in ${file}`, content);
  for (const flag of FLAGS) {
    const given = value[flag];
    if (given !== undefined && typeof given !== "boolean")
      throw corrupt("a boolean", `${name}.${flag} in ${file}`, given);
  }
  return {
    content,
    singleWord: value.single_word === true,
    lstrip: value.lstrip === true,
    rstrip: value.rstrip === true,
    normalized: typeof value.normalized === "boolean" ? value.normalized : undefined,
    special: value.special === true,
  };
}
