// The tokenizer that a tokenizer.json with a Unigram model describes, as Rust's tokenizers carries it out.
import { type AddedToken, AddedVocabulary, readAddedTokens } from "./added-vocabulary.js";
import type { TokenizerBackend } from "./backend.js";
import { cleanUpTokenization, WindowStream } from "./decode-stream.js";
import { byteOfToken, hasByteFallback, isStable, readDecoder } from "./decoder.js";
import { type Normalizer, readNormalizer } from "./normalizer.js";
import { readPostProcessor } from "./post-processor.js";
import { makeEncoder, type Rewriter } from "./pre-tokenized-string.js";
import { readPreTokenizer } from "./pre-tokenizer.js";
import { corruptSetting, type JsonObject, readObject } from "./tokenizer-json.js";
import { whiteSpaceTable } from "./unicode/code-points.js";
import { serdeJsonScore, Unigram } from "./unigram.js";

/** A decoder may strip white space at the beginning of a text. After this text, it leaves that of the next token. */
const TEXT_BEFORE = "abcdef";

const encoder = new TextEncoder();

/** What a tokenizer has beside its tokenizer.json. */
export interface UnigramSettings {
  /** tokenizer_config.json. */
  readonly config: JsonObject;
  /** The special tokens with a name. */
  readonly named: ReadonlyMap<string, Pick<AddedToken, "content">>;
  /** The tokens to add to those of tokenizer.json, in order. */
  readonly added: readonly AddedToken[];
  /** Whether transformers parses the scores in Python, as it does for T5's own class, and not in Rust. */
  readonly isReadByPython: boolean;
  /** Whether a text ends with the end-of-sequence id, instead of what the post-processor states. */
  readonly endsWithEos: boolean;
}

/** The tokenizer that a tokenizer.json and its settings describe. Throws ERR_MODEL_CORRUPT. */
export function unigramBackend(tokenizerJson: JsonObject, settings: UnigramSettings): TokenizerBackend {
  const { config, named } = settings;
  const readScore = settings.isReadByPython ? (score: number) => score : serdeJsonScore;
  const model = new Unigram(readObject(tokenizerJson.model, "model"), readScore);
  const normalizer = readNormalizer(tokenizerJson.normalizer, "normalizer");
  const added = new AddedVocabulary([...readAddedTokens(tokenizerJson.added_tokens), ...settings.added], model, {
    normalizer,
    splitSpecialTokens: config.split_special_tokens === true,
    whiteSpaceTable,
  });
  const steps = [
    added.splitOriginal,
    normalizer && rewriterOf(normalizer),
    added.splitNormalized,
    ...readPreTokenizer(tokenizerJson.pre_tokenizer, "pre_tokenizer"),
  ].filter((step) => step !== undefined);
  const decoder = readDecoder(tokenizerJson.decoder, "decoder");
  const idToToken = (id: number) => added.idToToken(id) ?? model.idToToken(id);
  const tokenToId = (token: string) => added.tokenToId(token) ?? model.tokenToId(token);
  const specialTokenId = (name: string, fallback: string): number => {
    const token = named.get(name)?.content ?? fallback;
    const id = tokenToId(token);
    if (id === undefined) throw corruptSetting(`${token} in the vocabulary`, "model.vocab", undefined);
    return id;
  };
  const eosTokenId = specialTokenId("eos_token", "</s>");
  const template = settings.endsWithEos
    ? { prefix: [], suffix: [eosTokenId] }
    : readPostProcessor(tokenizerJson.post_processor, "post_processor");
  const isDecoderStable = isStable(tokenizerJson.decoder);
  const hasBytes = hasByteFallback(tokenizerJson.decoder);
  const byteOf = (id: number) => (hasBytes ? byteOfToken(idToToken(id) ?? "") : undefined);
  /** The token of an id, or undefined if decoding leaves it out. */
  const decodedToken = (id: number, skipSpecialTokens: boolean) => {
    const token = idToToken(id);
    return token !== undefined && skipSpecialTokens && added.isSpecial(token) ? undefined : token;
  };
  const decode = (ids: readonly number[], skipSpecialTokens: boolean) => {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = decodedToken(id, skipSpecialTokens);
      if (token !== undefined) tokens.push(token);
    }
    return decoder(tokens).join("");
  };
  return {
    padTokenId: specialTokenId("pad_token", "<pad>"),
    eosTokenId,
    unkTokenId: tokenToId(named.get("unk_token")?.content ?? "<unk>"),
    cleanUpTokenizationSpaces: config.clean_up_tokenization_spaces === true,
    maxTemplateIds: template.prefix.length + template.suffix.length,
    template: () => template,
    encode: makeEncoder(steps, model),
    decode(ids, { skipSpecialTokens, cleanUpTokenizationSpaces }) {
      const text = decode(ids, skipSpecialTokens);
      return cleanUpTokenizationSpaces ? cleanUpTokenization(text) : text;
    },
    tokensToText: (tokens) => decoder(tokens).join(""),
    decodeStream: (skipSpecialTokens) =>
      new WindowStream({
        isStable: isDecoderStable,
        isByte: (id) => byteOf(id) !== undefined,
        isSkipped: (id) => decodedToken(id, skipSpecialTokens) === undefined,
        decode: (ids) => decode(ids, skipSpecialTokens),
      }),
    tokenBytes(id) {
      const token = idToToken(id);
      if (token === undefined) return new Uint8Array();
      const byte = byteOf(id);
      if (byte !== undefined) return Uint8Array.of(byte);
      return encoder.encode(decoder([TEXT_BEFORE, token]).join("").slice(TEXT_BEFORE.length));
    },
    idToToken,
    tokenToId,
  };
}

function rewriterOf(normalizer: Normalizer): Rewriter {
  return {
    kind: "rewrite",
    *rewrite(source, from, target, to) {
      for (let split = 0; split < from.count; split++) {
        if (to.moveToken(source, from, split, target)) continue;
        const start = target.length;
        yield* normalizer(source, from.start(split), from.end(split), target);
        to.add(start, target.length);
      }
    },
  };
}
