// Subword tokenization as a tokenizer.json describes it, carried out as Rust's tokenizers does.

import { isRecord } from "../util/validation.js";
import { AddedTokens, readAddedTokens } from "./added-tokens.js";
import { AlignedText } from "./aligned-text.js";
import { cleanUp } from "./cleaning-up.js";
import type { Codec, DecodingOptions, Tokens } from "./codec.js";
import { byteOfToken, isUnstable, readDecoder, stepsOf } from "./decoders.js";
import type { Normalizer } from "./normalizer.js";
import { readNormalizer } from "./normalizers.js";
import { Pieces, type Rewriter, type Step, UNTOKENIZED } from "./pieces.js";
import { readPreTokenizer } from "./pre-tokenizers.js";
import { scoreOfRust } from "./scores.js";
import { corrupt, type Json, readRecord } from "./settings.js";
import { readPostProcessor } from "./template.js";
import { TokenList } from "./token-list.js";
import { whiteSpaceTable } from "./unicode/characters.js";
import { Unigram } from "./unigram.js";
import { WindowStream } from "./window-stream.js";

/** A token that text precedes is decoded with the white space that it begins with. */
const TEXT_BEFORE = "abcdef";

const encoder = new TextEncoder();

/** The tokenization that tokenizer.json and tokenizer_config.json describe. Throws ERR_MODEL_CORRUPT. */
export function subwordCodec(tokenizerJson: Json, tokenizerConfig: Json): Codec {
  const readScore = isReadByPython(tokenizerConfig.tokenizer_class) ? (score: number) => score : scoreOfRust;
  const model = new Unigram(readRecord(tokenizerJson.model, "model"), readScore);
  const normalizer = readNormalizer(tokenizerJson.normalizer, "normalizer");
  const added = new AddedTokens(readAddedTokens(tokenizerJson.added_tokens), model, {
    normalizer,
    makeText: () => new AlignedText(),
    splitSpecial: tokenizerConfig.split_special_tokens === true,
    whiteSpace: whiteSpaceTable,
  });
  const steps = [
    added.splitRaw,
    normalizer && normalizing(normalizer),
    added.splitNormalized,
    ...readPreTokenizer(tokenizerJson.pre_tokenizer, "pre_tokenizer"),
  ];
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
  const hasBytes = stepsOf(tokenizerJson.decoder).some(({ type }) => type === "ByteFallback");
  const isStable = !isUnstable(tokenizerJson.decoder);
  const byteOf = (id: number) => (hasBytes ? byteOfToken(token(id) ?? "") : undefined);
  /** The token of an id that isn't left out. */
  const tokenOf = (id: number, skipSpecialTokens: boolean) => {
    const found = token(id);
    return found !== undefined && skipSpecialTokens && added.isSpecial(found) ? undefined : found;
  };
  const decode = (ids: readonly number[], skipSpecialTokens: boolean) => {
    const tokens: string[] = [];
    for (const id of ids) {
      const found = tokenOf(id, skipSpecialTokens);
      if (found !== undefined) tokens.push(found);
    }
    return decoder(tokens).join("");
  };
  return {
    padTokenId: named(tokenizerConfig.pad_token, "<pad>"),
    eosTokenId: named(tokenizerConfig.eos_token, "</s>"),
    cleansUp: tokenizerConfig.clean_up_tokenization_spaces === true,
    mostAdded: template.before.length + template.behind.length,
    template: () => template,
    encode: makeEncoder(
      steps.filter((step) => step !== undefined),
      model,
    ),
    decode: (ids, options) => finish(decode(ids, options.skipSpecialTokens), options),
    stream: (skipSpecialTokens) =>
      new WindowStream({
        isStable,
        isOpen: (id) => byteOf(id) !== undefined,
        isSilent: (id) => tokenOf(id, skipSpecialTokens) === undefined,
        decode: (ids) => decode(ids, skipSpecialTokens),
      }),
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

/** From a text to its tokens: the steps, one after the other, and the model. */
function makeEncoder(steps: readonly Step[], model: Unigram): (text: string) => Tokens {
  const pieces = new Pieces();
  const tokens = new TokenList();
  return (text) => {
    // What is left is of a text that failed.
    pieces.clear();
    tokens.clear();
    pieces.read(text);
    for (const step of steps) pieces.apply(step);
    const { ranges } = pieces;
    const { starts, ends } = pieces.text;
    for (let index = 0; index < ranges.count; index++) {
      const from = ranges.start(index);
      const to = ranges.end(index);
      const id = ranges.token(index);
      if (id === UNTOKENIZED) model.encode(pieces.text, from, to, tokens);
      else tokens.push(id, starts[from] ?? 0, ends[to - 1] ?? 0);
    }
    pieces.clear();
    return { ids: tokens.ids(), offsets: tokens.offsets() };
  };
}

function normalizing(normalizer: Normalizer): Rewriter {
  return {
    changes: true,
    rewrite(source, from, to, target, ranges) {
      const start = target.length;
      normalizer(source, from, to, target);
      ranges.add(start, target.length);
    },
  };
}

function finish(text: string, options: DecodingOptions): string {
  return options.cleanUp ? cleanUp(text) : text;
}

/** For T5's own class transformers reads the scores in Python, and else Rust reads them. */
function isReadByPython(tokenizerClass: unknown): boolean {
  return tokenizerClass === "T5Tokenizer" || tokenizerClass === "T5TokenizerFast";
}

/** A special token as tokenizer_config.json has it: its text, or an object with its text. */
function nameOf(setting: unknown, fallback: string): string {
  const name: unknown = isRecord(setting) ? setting.content : setting;
  return typeof name === "string" ? name : fallback;
}
