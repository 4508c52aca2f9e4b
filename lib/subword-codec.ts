// Subword tokenization by `@huggingface/tokenizers`, with the defaults of Hugging Face's T5Tokenizer.
import { Tokenizer } from "@huggingface/tokenizers";
import type { Codec } from "./codec.js";
import { T5Error } from "./errors.js";

/** The library's lattice takes about 1 KB of heap per character of a word, which normalization may make 18 times as long. */
const LONGEST_WORD = 2 ** 15;

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
  return {
    padTokenId: idOf(tokenizerConfig.pad_token, "<pad>"),
    eosTokenId: idOf(tokenizerConfig.eos_token, "</s>"),
    longestWord: LONGEST_WORD,
    encode: (text) => tokenizer.encode(text).ids,
    decode(ids, skipSpecialTokens) {
      const known = ids.filter((id) => tokenizer.id_to_token(id) !== undefined);
      if (known.length === 0) return "";
      return tokenizer.decode(known, {
        skip_special_tokens: skipSpecialTokens,
        clean_up_tokenization_spaces: cleanUp,
      });
    },
    token: (id) => tokenizer.id_to_token(id),
  };
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
