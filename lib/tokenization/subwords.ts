// Subword tokenization as a tokenizer.json describes it, carried out as Rust's tokenizers does.

import { isRecord } from "../validation.js";
import { AddedTokens, readAddedTokens } from "./added-tokens.js";
import { AlignedText } from "./aligned-text.js";
import { cleanUp } from "./cleaning-up.js";
import type { Codec, DecodingOptions, Tokens } from "./codec.js";
import { byteOfToken, readDecoder } from "./decoders.js";
import type { Normalizer } from "./normalizer.js";
import { readNormalizer } from "./normalizers.js";
import { Pieces, type Splitter, UNTOKENIZED } from "./pieces.js";
import { readPreTokenizer } from "./pre-tokenizers.js";
import { corrupt, type Json, readRecord } from "./settings.js";
import { readPostProcessor } from "./template.js";
import { TokenList } from "./token-list.js";
import { whiteSpaceTable } from "./unicode/characters.js";
import { Unigram } from "./unigram.js";

/** A token that text precedes is decoded with the white space that it begins with. */
const TEXT_BEFORE = "abcdef";

const encoder = new TextEncoder();

/** The tokenization that tokenizer.json and tokenizer_config.json describe. Throws ERR_MODEL_CORRUPT. */
export function subwordCodec(tokenizerJson: Json, tokenizerConfig: Json): Codec {
  const model = new Unigram(readRecord(tokenizerJson.model, "model"));
  const normalizer = readNormalizer(tokenizerJson.normalizer, "normalizer");
  const added = new AddedTokens(readAddedTokens(tokenizerJson.added_tokens), model, {
    normalizer,
    makeText: () => new AlignedText(),
    splitSpecial: tokenizerConfig.split_special_tokens === true,
    whiteSpace: whiteSpaceTable,
  });
  const splitters = readPreTokenizer(tokenizerJson.pre_tokenizer, "pre_tokenizer");
  const pipeline = new Pipeline(added, normalizer, splitters, model);
  const decoder = readDecoder(tokenizerJson.decoder, "decoder");
  const template = readPostProcessor(tokenizerJson.post_processor, "post_processor");
  const token = (id: number) => added.token(id) ?? model.tokens[id];
  const idOf = (name: string) => added.id(name) ?? model.id(name);
  const named = (setting: unknown, fallback: string): number => {
    const name = nameOf(setting, fallback);
    const id = idOf(name);
    if (id === undefined) throw corrupt(`${name} in the vocabulary`, "model.vocab", undefined);
    return id;
  };
  const hasBytes = mentions(tokenizerJson.decoder, "ByteFallback");
  const byteOf = (id: number) => (hasBytes ? byteOfToken(token(id) ?? "") : undefined);
  return {
    padTokenId: named(tokenizerConfig.pad_token, "<pad>"),
    eosTokenId: named(tokenizerConfig.eos_token, "</s>"),
    cleansUp: tokenizerConfig.clean_up_tokenization_spaces === true,
    template: () => template,
    encode: (text) => pipeline.encode(text),
    decode(ids, options) {
      const tokens: string[] = [];
      for (const id of ids) {
        const each = token(id);
        if (each !== undefined && !(options.skipSpecialTokens && added.isSpecial(each))) tokens.push(each);
      }
      return finish(decoder(tokens).join(""), options);
    },
    isOpen: (id) => byteOf(id) !== undefined,
    bytes(id) {
      const each = token(id);
      if (each === undefined) return new Uint8Array();
      const byte = byteOf(id);
      if (byte !== undefined) return Uint8Array.of(byte);
      return encoder.encode(decoder([TEXT_BEFORE, each]).join("").slice(TEXT_BEFORE.length));
    },
    token,
    id: idOf,
  };
}

/** From a text to its tokens. Its buffers are used again for the next text. */
class Pipeline {
  readonly #added: AddedTokens;
  readonly #normalizer: Normalizer | undefined;
  readonly #splitters: readonly Splitter[];
  readonly #model: Unigram;
  #pieces = new Pieces();
  #others = new Pieces();
  readonly #tokens = new TokenList();

  constructor(added: AddedTokens, normalizer: Normalizer | undefined, splitters: readonly Splitter[], model: Unigram) {
    this.#added = added;
    this.#normalizer = normalizer;
    this.#splitters = splitters;
    this.#model = model;
  }

  encode(text: string): Tokens {
    const pieces = this.#split(text);
    const tokens = this.#tokens;
    tokens.length = 0;
    const { starts, ends } = pieces.text;
    for (let index = 0; index < pieces.count; index++) {
      const from = pieces.start(index);
      const to = pieces.end(index);
      const id = pieces.token(index);
      if (id === UNTOKENIZED) this.#model.encode(pieces.text, from, to, tokens);
      else tokens.push(id, starts[from] ?? 0, ends[to - 1] ?? 0);
    }
    return { ids: tokens.ids(), offsets: tokens.offsets() };
  }

  #split(text: string): Pieces {
    this.#pieces.clear();
    this.#pieces.text.read(text);
    this.#pieces.add(0, this.#pieces.text.length);
    this.#apply(this.#added.splitRaw);
    const normalize = this.#normalizer;
    this.#apply(
      normalize &&
        ((source, from, to, target) => {
          const start = target.text.length;
          normalize(source, from, to, target.text);
          target.add(start, target.text.length);
        }),
    );
    this.#apply(this.#added.splitNormalized);
    for (const splitter of this.#splitters) this.#apply(splitter);
    return this.#pieces;
  }

  #apply(splitter: Splitter | undefined): void {
    if (splitter === undefined) return;
    this.#others.split(this.#pieces, splitter);
    [this.#pieces, this.#others] = [this.#others, this.#pieces];
  }
}

function finish(text: string, options: DecodingOptions): string {
  return options.cleanUp ? cleanUp(text) : text;
}

/** A special token as tokenizer_config.json has it: its text, or an object with its text. */
function nameOf(setting: unknown, fallback: string): string {
  const name: unknown = isRecord(setting) ? setting.content : setting;
  return typeof name === "string" ? name : fallback;
}

/** Whether a decoder in tokenizer.json is of a type, or has one of it. */
function mentions(decoder: unknown, type: string): boolean {
  if (Array.isArray(decoder)) return decoder.some((part) => mentions(part, type));
  if (!isRecord(decoder)) return false;
  return decoder.type === type || Object.values(decoder).some((part) => mentions(part, type));
}
