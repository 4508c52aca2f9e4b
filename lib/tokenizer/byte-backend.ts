// ByT5's tokenizer, as Hugging Face's ByT5Tokenizer: each byte of UTF-8 is an id, after those of three special tokens.
import { corrupt } from "../util/json.js";
import { SLICED_UNITS } from "../util/slices.js";
import { makeSplitter, type Pattern } from "./added-vocabulary.js";
import type { TokenizerBackend } from "./backend.js";
import { cleanUpTokenization, type TextStream } from "./decode-stream.js";
import type { NormalizedString } from "./normalized-string.js";
import { EMPTY_TEMPLATE } from "./post-processor.js";
import { type Model, makeEncoder, type TokenBuffer } from "./pre-tokenized-string.js";
import type { JsonObject } from "./tokenizer-json.js";
import {
  contradiction,
  extraToken,
  type StatedToken,
  type Token,
  type TokenSettings,
  textToken,
  withDefaults,
} from "./tokenizer-settings.js";
import { pythonWhiteSpaceTable } from "./unicode/code-points.js";
import { unsupported } from "./unsupported.js";
import { decodeValid, INCOMPLETE, INVALID, sequenceSize, utf8Byte, utf8Size } from "./utf8.js";

/** The named tokens that have the first ids, and the texts that they have by default. */
const FIRST_TOKENS = [
  ["pad_token", "<pad>"],
  ["eos_token", "</s>"],
  ["unk_token", "<unk>"],
] as const;
/** The id of byte 0. */
const OFFSET = FIRST_TOKENS.length;
const BYTES = 256;
const EXTRA_IDS = 125;
const ASCII_END = 0x80;

const encoder = new TextEncoder();

/** The tokens that are not bytes. */
interface Tokens {
  readonly byId: ReadonlyMap<number, StatedToken>;
  readonly ids: ReadonlyMap<string, number>;
  /** The ids that `skipSpecialTokens` leaves out. */
  readonly special: ReadonlySet<number>;
  readonly pad: number;
  readonly eos: number;
  readonly unk: number;
}

/** The tokenizer that the files of a ByT5 directory describe; none has to exist. Throws ERR_MODEL_CORRUPT. */
export function byteBackend(settings: TokenSettings, config: JsonObject): TokenizerBackend {
  const tokens = readTokens(settings);
  const { byId, ids, special, pad, eos, unk } = tokens;
  // With split_special_tokens, Python looks for no token, special or not.
  const patterns = config.split_special_tokens === true ? [] : patternsOf(tokens);
  const splitter = makeSplitter(patterns, () => false, pythonWhiteSpaceTable);
  const eosTemplate = { prefix: [], suffix: [eos] };
  // A byte whose token, the character of its number, is also an added one has the id of that, as in Python.
  const idOfToken = (token: string) => ids.get(token) ?? idOfByte(token);
  const byteIds = Int32Array.from({ length: BYTES }, (_, byte) => idOfToken(String.fromCharCode(byte)) ?? 0);
  const contentOf = (id: number) => {
    const byte = String.fromCharCode(id - OFFSET);
    return byId.get(id)?.content ?? (isByte(id) && ids.has(byte) ? byte : undefined);
  };
  return {
    padTokenId: pad,
    eosTokenId: eos,
    unkTokenId: unk,
    cleanUpTokenizationSpaces: config.clean_up_tokenization_spaces === true,
    maxTemplateIds: 1,
    template: (textIds) => (textIds.at(-1) === eos ? EMPTY_TEMPLATE : eosTemplate),
    encode: makeEncoder(splitter === undefined ? [] : [splitter], byteModel(byteIds)),
    decode(textIds, { skipSpecialTokens, cleanUpTokenizationSpaces }) {
      const bytes: number[] = [];
      for (const id of textIds) {
        if (skipSpecialTokens && special.has(id)) continue;
        const content = contentOf(id);
        if (content !== undefined) bytes.push(...encoder.encode(content));
        else if (isByte(id)) bytes.push(id - OFFSET);
      }
      const text = decodeValid(Uint8Array.from(bytes));
      return cleanUpTokenizationSpaces ? cleanUpTokenization(text) : text;
    },
    tokensToText(texts) {
      const bytes = texts.flatMap((token) =>
        ids.has(token) || token.length > 1 ? [...encoder.encode(token)] : [token.charCodeAt(0)],
      );
      return decodeValid(Uint8Array.from(bytes));
    },
    decodeStream: (skipSpecialTokens) => byteStream(contentOf, (id) => skipSpecialTokens && special.has(id)),
    tokenBytes(id) {
      const content = contentOf(id);
      if (content !== undefined) return encoder.encode(content);
      return isByte(id) ? Uint8Array.of(id - OFFSET) : new Uint8Array();
    },
    idToToken: (id) => contentOf(id) ?? (isByte(id) ? String.fromCharCode(id - OFFSET) : undefined),
    tokenToId: idOfToken,
  };
}

/** Gives the bytes of each character, with the offsets of that character. `ids` has the id of each byte. */
function byteModel(ids: Int32Array): Model {
  return {
    *tokenize(text, splits, tokens) {
      let work = 0;
      for (let split = 0; split < splits.count; split++) {
        if (tokens.addSplit(text, splits, split)) continue;
        const to = splits.end(split);
        for (let index = splits.start(split); index < to; index += SLICED_UNITS) {
          const limit = Math.min(to, index + SLICED_UNITS);
          addBytes(text, index, limit, ids, tokens);
          work += limit - index;
          if (work < SLICED_UNITS) continue;
          work = 0;
          yield;
        }
      }
    },
  };
}

function addBytes(
  { codes, starts, ends }: NormalizedString,
  from: number,
  to: number,
  ids: Int32Array,
  tokens: TokenBuffer,
): void {
  for (let index = from; index < to; index++) {
    const code = codes[index] ?? 0;
    const start = starts[index] ?? 0;
    const end = ends[index] ?? 0;
    if (code < ASCII_END) {
      tokens.push(ids[code] ?? 0, start, end);
      continue;
    }
    const size = utf8Size(code);
    for (let part = 0; part < size; part++) tokens.push(ids[utf8Byte(code, size, part)] ?? 0, start, end);
  }
}

/** Returns each character with its last byte. */
function byteStream(contentOf: (id: number) => string | undefined, isSkipped: (id: number) => boolean): TextStream {
  /** The bytes of a character that isn't complete. */
  let bytes: number[] = [];
  return {
    push(id) {
      if (isSkipped(id)) return "";
      const content = contentOf(id);
      if (content !== undefined) {
        bytes = [];
        return content;
      }
      if (!isByte(id)) return "";
      bytes.push(id - OFFSET);
      while (bytes.length > 0 && sequenceSize(bytes, 0) === INVALID) bytes.shift();
      if (bytes.length === 0 || sequenceSize(bytes, 0) === INCOMPLETE) return "";
      const text = decodeValid(Uint8Array.from(bytes));
      bytes = [];
      return text;
    },
    end: () => "",
  };
}

function isByte(id: number): boolean {
  return id >= OFFSET && id < OFFSET + BYTES;
}

/** The id of a byte, whose token is the character of the same number. */
function idOfByte(token: string): number | undefined {
  const code = token.length === 1 ? token.charCodeAt(0) : BYTES;
  return code < BYTES ? code + OFFSET : undefined;
}

/** The tokens to search for. A text that several ids have stands for the last one, with the flags of that id's token. */
function patternsOf({ byId, ids }: Tokens): readonly Pattern[] {
  const texts = new Set(Array.from(byId.values(), ({ content }) => content));
  return Array.from(texts).flatMap((text) => {
    const id = ids.get(text) ?? 0;
    const token = byId.get(id);
    return text === "" || token === undefined ? [] : [{ id, token, text }];
  });
}

/** The tokens as ByT5Tokenizer makes them: the first ones, the added ones, and special ones that are still missing. */
function readTokens(settings: TokenSettings): Tokens {
  const defaults = new Map(FIRST_TOKENS.map(([name, content]) => [name, textToken(content)]));
  const named = withDefaults(settings.named, defaults);
  const byId = new Map<number, StatedToken>();
  for (const [id, [name, content]] of FIRST_TOKENS.entries()) {
    const token = named.get(name) ?? textToken(content);
    byId.set(id, token.isText ? { ...token, lstrip: true, rstrip: true } : token);
  }
  for (const [id, token] of settings.added) {
    if (token.singleWord) throw unsupported("false", `single_word of ${JSON.stringify(token.content)}`, true);
    byId.set(id, token);
  }
  const ids = new Map(Array.from(byId, ([id, { content }]) => [content, id]));
  const special = new Set([...named.values(), ...extraTokens(settings)].map(({ content }) => content));
  const vocabulary = new Map<string, number>();
  for (let id = 0; id < OFFSET + BYTES; id++)
    vocabulary.set(byId.get(id)?.content ?? String.fromCharCode(id - OFFSET), id);
  for (const [content, id] of ids) vocabulary.set(content, id);
  let next = vocabulary.size;
  for (const content of special) {
    if (ids.has(content) || content === "") continue;
    const id = vocabulary.get(content) ?? next++;
    if (byId.has(id)) throw corrupt("an id that no other token has", `the special token ${content}`, id);
    ids.set(content, id);
    byId.set(id, textToken(content));
  }
  const isWhiteSpace = pythonWhiteSpaceTable();
  for (const { content } of byId.values()) {
    // Python may strip such a token as if it were the text next to a token that strips.
    const isWhite = [content.at(0), content.at(-1)].some((end = "") => isWhiteSpace[end.charCodeAt(0)] === 1);
    if (isWhite) throw unsupported("text without white space at its ends", "an added token", content);
  }
  const idOf = (token: string) => ids.get(token) ?? idOfByte(token);
  const idOfNamed = (index: number) => idOf(named.get(FIRST_TOKENS[index]?.[0] ?? "")?.content ?? "") ?? index;
  return {
    byId,
    ids,
    special: new Set(Array.from(special, (content) => idOf(content) ?? OFFSET + BYTES)),
    pad: idOfNamed(0),
    eos: idOfNamed(1),
    unk: idOfNamed(2),
  };
}

/** The special tokens without a name. Throws ERR_MODEL_CORRUPT where their number contradicts `extra_ids`. */
function extraTokens({ extra, additional, extraIds = EXTRA_IDS }: TokenSettings): readonly Token[] {
  if (additional === undefined)
    return extra ?? Array.from({ length: extraIds }, (_, index) => textToken(extraToken(index)));
  const count = new Set(additional.map(({ content }) => content).filter((content) => content.includes("extra_id")))
    .size;
  if (extraIds > 0 && additional.length > 0 && count !== extraIds) throw contradiction(extraIds, count);
  return extra ?? additional;
}
