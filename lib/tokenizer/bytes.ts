// ByT5's tokenization: each byte of UTF-8 is an id, behind three special ones. As Hugging Face's ByT5Tokenizer has it.
import { isRecord } from "../util/validation.js";
import { type AddedToken, AddedTokens, readAddedToken } from "./added-tokens.js";
import { AlignedText } from "./aligned-text.js";
import { cleanUp } from "./cleaning-up.js";
import type { Codec, TextStream, Tokens } from "./codec.js";
import { Pieces, UNTOKENIZED } from "./pieces.js";
import { corrupt, type Json } from "./settings.js";
import { TokenList } from "./token-list.js";
import { pythonWhiteSpaceTable } from "./unicode/characters.js";
import { byteOf, bytesOf, decodeValid, INCOMPLETE, INVALID, sizeAt } from "./utf8.js";

const SPECIAL_TOKENS = ["<pad>", "</s>", "<unk>"];
const PAD = 0;
const EOS = 1;
const OFFSET = SPECIAL_TOKENS.length;
const BYTES = 256;
const EXTRA_IDS = 125;
const BEHIND = { before: [], behind: [EOS] };
const NOTHING = { before: [], behind: [] };

const encoder = new TextEncoder();

/** The tokenization that a tokenizer_config.json of ByT5 describes. Throws ERR_MODEL_CORRUPT. */
export function byteCodec(config: Json): Codec {
  const contents = readTokens(config);
  const idOf = new Map(Array.from(contents, ([id, { content }]) => [content, id]));
  // Each has its id, so that no other is made up for it.
  const vocabulary = { tokens: [], id: (token: string) => idOf.get(token) };
  const added = new AddedTokens([...contents.values()], vocabulary, {
    normalizer: undefined,
    makeText: () => new AlignedText(),
    splitSpecial: config.split_special_tokens === true,
    whiteSpace: pythonWhiteSpaceTable,
  });
  const pieces = new Pieces();
  const tokens = new TokenList();
  return {
    padTokenId: PAD,
    eosTokenId: EOS,
    cleansUp: config.clean_up_tokenization_spaces === true,
    mostAdded: 1,
    template: (ids) => (ids.at(-1) === EOS ? NOTHING : BEHIND),
    encode(text) {
      pieces.clear();
      tokens.clear();
      pieces.read(text);
      if (added.splitRaw !== undefined) pieces.apply(added.splitRaw);
      return spell(pieces, tokens);
    },
    decode(ids, { skipSpecialTokens, cleanUp: isCleaned }) {
      const bytes: number[] = [];
      for (const id of ids) {
        const special = added.token(id);
        if (special === undefined) {
          if (isByte(id)) bytes.push(id - OFFSET);
        } else if (!skipSpecialTokens) {
          bytes.push(...encoder.encode(special));
        }
      }
      const text = decodeValid(Uint8Array.from(bytes));
      return isCleaned ? cleanUp(text) : text;
    },
    stream: (skipSpecialTokens) => byteStream(added, skipSpecialTokens),
    bytes(id) {
      const special = added.token(id);
      if (special !== undefined) return encoder.encode(special);
      return isByte(id) ? Uint8Array.of(id - OFFSET) : new Uint8Array();
    },
    token: (id) => added.token(id) ?? (isByte(id) ? String.fromCharCode(id - OFFSET) : undefined),
    id(token) {
      const code = token.length === 1 ? token.charCodeAt(0) : BYTES;
      return added.id(token) ?? (code < BYTES ? code + OFFSET : undefined);
    },
  };
}

/** Characters as their last bytes come. */
function byteStream(added: AddedTokens, skipSpecialTokens: boolean): TextStream {
  /** The beginning of a character. */
  let bytes: number[] = [];
  return {
    push(id) {
      const special = added.token(id);
      if (special !== undefined) {
        if (skipSpecialTokens) return "";
        bytes = [];
        return special;
      }
      if (!isByte(id)) return "";
      bytes.push(id - OFFSET);
      while (bytes.length > 0 && sizeAt(bytes, 0) === INVALID) bytes.shift();
      if (bytes.length === 0 || sizeAt(bytes, 0) === INCOMPLETE) return "";
      const text = decodeValid(Uint8Array.from(bytes));
      bytes = [];
      return text;
    },
    end: () => "",
  };
}

/** The bytes of what isn't a token, each for the character that it is of. */
function spell({ text, ranges }: Pieces, tokens: TokenList): Tokens {
  const { codes, starts, ends } = text;
  for (let piece = 0; piece < ranges.count; piece++) {
    const from = ranges.start(piece);
    const to = ranges.end(piece);
    const id = ranges.token(piece);
    if (id !== UNTOKENIZED) {
      tokens.push(id, starts[from] ?? 0, ends[to - 1] ?? 0);
      continue;
    }
    for (let index = from; index < to; index++) {
      const code = codes[index] ?? 0;
      const size = bytesOf(code);
      for (let part = 0; part < size; part++) {
        tokens.push(byteOf(code, size, part) + OFFSET, starts[index] ?? 0, ends[index] ?? 0);
      }
    }
  }
  return { ids: tokens.ids(), offsets: tokens.offsets() };
}

function isByte(id: number): boolean {
  return id >= OFFSET && id < OFFSET + BYTES;
}

/** The tokens beside bytes: those of the file, or Hugging Face's own. All of them are special, whatever the file says. */
function readTokens({ added_tokens_decoder: saved }: Json): ReadonlyMap<number, AddedToken> {
  const tokens = new Map(SPECIAL_TOKENS.map((content, id) => [id, make(content, true)]));
  if (!isRecord(saved)) {
    for (let index = 0; index < EXTRA_IDS; index++)
      tokens.set(OFFSET + BYTES + index, make(`<extra_id_${index}>`, false));
    return tokens;
  }
  for (const [id, value] of Object.entries(saved)) {
    const token = readAddedToken(value, `added_tokens_decoder[${id}]`);
    if (!/^\d+$/.test(id)) throw corrupt("an id", "added_tokens_decoder", id);
    if (token.singleWord) throw corrupt("false", `added_tokens_decoder[${id}].single_word`, true);
    tokens.set(Number(id), { ...token, special: true, normalized: false });
  }
  return tokens;
}

/** The first three take the white space beside them along. */
function make(content: string, isStripped: boolean): AddedToken {
  return { content, singleWord: false, lstrip: isStripped, rstrip: isStripped, normalized: false, special: true };
}
