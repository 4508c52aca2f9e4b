// Subword tokenization by `@huggingface/tokenizers`, with the defaults of Hugging Face's T5Tokenizer.
import { Tokenizer } from "@huggingface/tokenizers";
import type { Codec } from "./codec.js";
import { T5Error } from "./errors.js";
import { isRecord } from "./validation.js";

/** The library's lattice takes about 1 KB of heap per character of a word, which normalization may make 18 times as long. */
const LONGEST_WORD = 2 ** 15;

/** Cleaning up looks at no more than " n't", and at two spaces more where it has made two patterns of one. */
const CLEANED_UP_TAIL = 8;

/** A token that text precedes is decoded with the white space that it begins with. */
const TEXT_BEFORE = "abcdef";
const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;

const encoder = new TextEncoder();

type Json = Readonly<Record<string, unknown>>;

/** The tokenization that tokenizer.json and tokenizer_config.json describe. Throws ERR_MODEL_CORRUPT. */
export function subwordCodec(tokenizerJson: Json, tokenizerConfig: Json): Codec {
  const tokenizer = makeTokenizer(tokenizerJson, tokenizerConfig);
  const idOf = (token: unknown, fallback: string): number => {
    const name = typeof token === "string" ? token : fallback;
    const id = tokenizer.token_to_id(name);
    if (id !== undefined) return id;
    throw new T5Error("ERR_MODEL_CORRUPT", `Expected ${name} for the vocabulary in tokenizer.json but found none`);
  };
  const cleanUp = tokenizerConfig.clean_up_tokenization_spaces === true;
  const hasBytes = mentions(tokenizerJson.decoder, "ByteFallback");
  const byteOf = (token: string): number | undefined => {
    const [, digits] = (hasBytes ? BYTE_TOKEN.exec(token) : null) ?? [];
    return digits === undefined ? undefined : Number.parseInt(digits, 16);
  };
  return {
    padTokenId: idOf(tokenizerConfig.pad_token, "<pad>"),
    eosTokenId: idOf(tokenizerConfig.eos_token, "</s>"),
    longestWord: LONGEST_WORD,
    changingTail: cleanUp ? CLEANED_UP_TAIL : 0,
    encode: (text) => tokenizer.encode(text).ids,
    decode(ids, skipSpecialTokens) {
      const known = ids.filter((id) => tokenizer.id_to_token(id) !== undefined);
      if (known.length === 0) return "";
      return tokenizer.decode(known, {
        skip_special_tokens: skipSpecialTokens,
        clean_up_tokenization_spaces: cleanUp,
      });
    },
    isOpen: (id) => byteOf(tokenizer.id_to_token(id) ?? "") !== undefined,
    bytes(id) {
      const token = tokenizer.id_to_token(id);
      if (token === undefined) return new Uint8Array();
      const byte = byteOf(token);
      if (byte !== undefined) return Uint8Array.of(byte);
      const text = tokenizer.decoder?.decode([TEXT_BEFORE, token]).slice(TEXT_BEFORE.length);
      return encoder.encode(text ?? token);
    },
    token: (id) => tokenizer.id_to_token(id),
  };
}

/** Whether a decoder in tokenizer.json is of a type, or has one of it. */
function mentions(decoder: unknown, type: string): boolean {
  if (Array.isArray(decoder)) return decoder.some((part) => mentions(part, type));
  if (!isRecord(decoder)) return false;
  return decoder.type === type || Object.values(decoder).some((part) => mentions(part, type));
}

function makeTokenizer(tokenizerJson: Json, tokenizerConfig: Json): Tokenizer {
  try {
    return new Tokenizer(tokenizerJson, tokenizerConfig);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "an unknown failure";
    const message = `Expected a tokenizer of Hugging Face's for tokenizer.json but received one that fails: ${reason}`;
    throw new T5Error("ERR_MODEL_CORRUPT", message, { cause });
  }
}
