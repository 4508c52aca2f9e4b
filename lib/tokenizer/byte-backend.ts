// ByT5's tokenizer, as Hugging Face's ByT5Tokenizer: each byte of UTF-8 is an id, after those of three special tokens.
import { SLICED_UNITS } from "../util/slices.js";
import { isRecord } from "../util/validation.js";
import { type AddedToken, AddedVocabulary, readAddedToken } from "./added-vocabulary.js";
import type { TokenizerBackend } from "./backend.js";
import { cleanUpTokenization, type TextStream } from "./decode-stream.js";
import type { NormalizedString } from "./normalized-string.js";
import { EMPTY_TEMPLATE } from "./post-processor.js";
import { type Model, makeEncoder, type TokenBuffer } from "./pre-tokenized-string.js";
import { corruptSetting, type JsonObject } from "./tokenizer-json.js";
import { pythonWhiteSpaceTable } from "./unicode/code-points.js";
import { decodeValid, INCOMPLETE, INVALID, sequenceSize, utf8Byte, utf8Size } from "./utf8.js";

const SPECIAL_TOKENS = ["<pad>", "</s>", "<unk>"];
const PAD = 0;
const EOS = 1;
/** The id of byte 0. */
const OFFSET = SPECIAL_TOKENS.length;
const BYTES = 256;
const EXTRA_IDS = 125;
const ASCII_END = 0x80;
const EOS_TEMPLATE = { prefix: [], suffix: [EOS] };

const encoder = new TextEncoder();

/** The tokenizer that a tokenizer_config.json of ByT5 describes. Throws ERR_MODEL_CORRUPT. */
export function byteBackend(config: JsonObject): TokenizerBackend {
  const tokens = readTokens(config);
  const ids = new Map(Array.from(tokens, ([id, { content }]) => [content, id]));
  // Every added token has an id here, so that AddedVocabulary assigns none.
  const vocabulary = { vocabSize: 0, tokenToId: (token: string) => ids.get(token) };
  const added = new AddedVocabulary([...tokens.values()], vocabulary, {
    normalizer: undefined,
    splitSpecialTokens: config.split_special_tokens === true,
    whiteSpaceTable: pythonWhiteSpaceTable,
  });
  return {
    padTokenId: PAD,
    eosTokenId: EOS,
    unkTokenId: ids.get("<unk>"),
    cleanUpTokenizationSpaces: config.clean_up_tokenization_spaces === true,
    maxTemplateIds: 1,
    template: (textIds) => (textIds.at(-1) === EOS ? EMPTY_TEMPLATE : EOS_TEMPLATE),
    encode: makeEncoder(added.splitOriginal === undefined ? [] : [added.splitOriginal], byteModel),
    decode(textIds, { skipSpecialTokens, cleanUpTokenizationSpaces }) {
      const bytes: number[] = [];
      for (const id of textIds) {
        const special = added.idToToken(id);
        if (special === undefined) {
          if (isByte(id)) bytes.push(id - OFFSET);
        } else if (!skipSpecialTokens) {
          bytes.push(...encoder.encode(special));
        }
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
    decodeStream: (skipSpecialTokens) => byteStream(added, skipSpecialTokens),
    tokenBytes(id) {
      const special = added.idToToken(id);
      if (special !== undefined) return encoder.encode(special);
      return isByte(id) ? Uint8Array.of(id - OFFSET) : new Uint8Array();
    },
    idToToken: (id) => added.idToToken(id) ?? (isByte(id) ? String.fromCharCode(id - OFFSET) : undefined),
    tokenToId(token) {
      const code = token.length === 1 ? token.charCodeAt(0) : BYTES;
      return added.tokenToId(token) ?? (code < BYTES ? code + OFFSET : undefined);
    },
  };
}

/** The bytes of each character, with the offsets of that character. */
const byteModel: Model = {
  *tokenize(text, splits, tokens) {
    let work = 0;
    for (let split = 0; split < splits.count; split++) {
      if (tokens.addSplit(text, splits, split)) continue;
      const to = splits.end(split);
      for (let index = splits.start(split); index < to; index += SLICED_UNITS) {
        const limit = Math.min(to, index + SLICED_UNITS);
        addBytes(text, index, limit, tokens);
        work += limit - index;
        if (work < SLICED_UNITS) continue;
        work = 0;
        yield;
      }
    }
  },
};

function addBytes({ codes, starts, ends }: NormalizedString, from: number, to: number, tokens: TokenBuffer): void {
  for (let index = from; index < to; index++) {
    const code = codes[index] ?? 0;
    const start = starts[index] ?? 0;
    const end = ends[index] ?? 0;
    if (code < ASCII_END) {
      tokens.push(code + OFFSET, start, end);
      continue;
    }
    const size = utf8Size(code);
    for (let part = 0; part < size; part++) tokens.push(utf8Byte(code, size, part) + OFFSET, start, end);
  }
}

/** Returns each character with its last byte. */
function byteStream(added: AddedVocabulary, skipSpecialTokens: boolean): TextStream {
  /** The bytes of a character that isn't complete. */
  let bytes: number[] = [];
  return {
    push(id) {
      const special = added.idToToken(id);
      if (special !== undefined) {
        if (skipSpecialTokens) return "";
        bytes = [];
        return special;
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

/** The special tokens: those of the file, or Hugging Face's defaults. All are special, as in Hugging Face. */
function readTokens({ added_tokens_decoder: saved }: JsonObject): ReadonlyMap<number, AddedToken> {
  const tokens = new Map(SPECIAL_TOKENS.map((content, id) => [id, specialToken(content, true)]));
  if (!isRecord(saved)) {
    for (let index = 0; index < EXTRA_IDS; index++) {
      tokens.set(OFFSET + BYTES + index, specialToken(`<extra_id_${index}>`, false));
    }
    return tokens;
  }
  for (const [id, value] of Object.entries(saved)) {
    const token = readAddedToken(value, `added_tokens_decoder[${id}]`);
    if (!/^\d+$/.test(id)) throw corruptSetting("an id", "added_tokens_decoder", id);
    if (token.singleWord) throw corruptSetting("false", `added_tokens_decoder[${id}].single_word`, true);
    tokens.set(Number(id), { ...token, special: true, normalized: false });
  }
  return tokens;
}

function specialToken(content: string, isStripped: boolean): AddedToken {
  return { content, singleWord: false, lstrip: isStripped, rstrip: isStripped, normalized: false, special: true };
}
