// Tokens added to the model's vocabulary (Rust's `AddedVocabulary`), which are found before the model divides the rest
// of a text. The leftmost match wins, and of those at one position the longest.
import { finish, SLICED_UNITS } from "../util/slices.js";
import { NormalizedString } from "./normalized-string.js";
import type { Normalizer } from "./normalizer.js";
import type { Splits, Splitter } from "./pre-tokenized-string.js";
import { corruptSetting, readArray, readFlag, readObject, readString } from "./tokenizer-json.js";
import { NONE, ROOT, Trie } from "./trie.js";
import { isWord } from "./unicode/code-points.js";

/** One of tokenizer.json's added_tokens. */
export interface AddedToken {
  readonly content: string;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

/** The part of a token that finds it in a text. */
type SearchedToken = Omit<AddedToken, "normalized" | "special">;

/** The part of the model's vocabulary that added tokens need. */
interface ModelVocabulary {
  readonly vocabSize: number;
  tokenToId(token: string): number | undefined;
}

interface AddedVocabularyOptions {
  readonly normalizer: Normalizer | undefined;
  /** Special tokens in a text are ordinary text: tokenizer_config.json's `split_special_tokens`. */
  readonly splitSpecialTokens: boolean;
  /** The table of the white space that lstrip and rstrip remove: 1 at its code points. */
  readonly whiteSpaceTable: () => Uint8Array;
}

export class AddedVocabulary {
  /** Finds the tokens in the original text; undefined if there are none to find. */
  readonly splitOriginal: Splitter | undefined;
  /** Finds the normalized tokens in the normalized text; undefined if there are none to find. */
  readonly splitNormalized: Splitter | undefined;
  readonly #tokens = new Map<number, AddedToken>();
  readonly #ids = new Map<string, number>();
  /** The text that each id decodes to: for a normalized token its normalized content, as in Rust. */
  readonly #texts = new Map<number, string>();
  readonly #special = new Set<string>();
  /** The id of the next token that the model's vocabulary doesn't have. */
  #nextId: number;

  /** A token keeps the id that it has in the vocabulary, and else gets the next free one, as in Rust. */
  constructor(tokens: readonly AddedToken[], vocabulary: ModelVocabulary, options: AddedVocabularyOptions) {
    this.#nextId = vocabulary.vocabSize;
    for (const token of tokens) if (token.content !== "") this.#add(token, vocabulary, options.normalizer);
    const { splitSpecialTokens, whiteSpaceTable } = options;
    const isIgnored = ({ content }: SearchedToken) => splitSpecialTokens && this.#special.has(content);
    const splitterOf = (normalized: boolean) => {
      const patterns = Array.from(this.#tokens, ([id, token]) => ({
        id,
        token,
        text: token.normalized ? (this.#texts.get(id) ?? token.content) : token.content,
      }));
      return makeSplitter(
        patterns.filter(({ token }) => token.normalized === normalized),
        isIgnored,
        whiteSpaceTable,
      );
    };
    this.splitOriginal = splitterOf(false);
    this.splitNormalized = splitterOf(true);
  }

  /** The id of a token, or undefined if it isn't an added one. */
  tokenToId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** The token of an id, as it is decoded, or undefined if it isn't an added one. */
  idToToken(id: number): string | undefined {
    return this.#texts.get(id);
  }

  /** Whether `skipSpecialTokens` leaves a token out. */
  isSpecial(token: string): boolean {
    return this.#special.has(token);
  }

  #add(token: AddedToken, vocabulary: ModelVocabulary, normalizer: Normalizer | undefined): void {
    const { content } = token;
    const id = this.#ids.get(content) ?? vocabulary.tokenToId(content) ?? this.#nextId;
    this.#nextId = Math.max(this.#nextId, id + 1);
    this.#ids.set(content, id);
    this.#tokens.set(id, token);
    if (token.special) this.#special.add(content);
    if (token.normalized && normalizer !== undefined) this.#texts.set(id, normalize(content, normalizer));
    // A token that was normalized, and is added again as one that isn't, keeps its text.
    else if (!this.#texts.has(id)) this.#texts.set(id, content);
  }
}

/** Reads tokenizer.json's added_tokens. Throws ERR_MODEL_CORRUPT. */
export function readAddedTokens(settings: unknown): readonly AddedToken[] {
  return readArray(settings ?? [], "added_tokens").map((value, index) =>
    readAddedToken(value, `added_tokens[${index}]`),
  );
}

/** Reads one token. Throws ERR_MODEL_CORRUPT. */
export function readAddedToken(value: unknown, name: string): AddedToken {
  const settings = readObject(value, name);
  const flag = (key: string) => readFlag(settings[key], `${name}.${key}`);
  const content = readString(settings.content, `${name}.content`);
  return {
    content,
    singleWord: flag("single_word"),
    lstrip: flag("lstrip"),
    rstrip: flag("rstrip"),
    normalized: flag("normalized"),
    special: flag("special"),
  };
}

/** The size of the table that first characters are hashed to. */
const FIRST_CHARACTERS = 256;

/** A token and the text to search for. */
export interface Pattern {
  readonly id: number;
  readonly token: SearchedToken;
  readonly text: string;
}

/** The part of a text that is searched. */
interface Section {
  readonly codes: Int32Array;
  readonly begin: number;
  readonly end: number;
  readonly isWhite: Uint8Array;
}

interface Match {
  readonly start: number;
  readonly end: number;
  /** The end of the last token added. */
  readonly lastEnd: number;
}

/**
 * Finds tokens in a text; undefined if there are none to find. A token that is ignored is found, but stays text.
 * Throws ERR_MODEL_CORRUPT for a text that is empty or that two tokens have.
 */
export function makeSplitter(
  patterns: readonly Pattern[],
  isIgnored: (token: SearchedToken) => boolean,
  whiteSpaceTable: () => Uint8Array,
): Splitter | undefined {
  if (patterns.length === 0) return undefined;
  const texts = patterns.map(({ text }) => text);
  const seen = new Set([""]);
  for (const text of texts) {
    if (seen.has(text)) throw corruptSetting("contents that are not empty and differ", "added_tokens", text);
    seen.add(text);
  }
  const trie = new Trie(texts);
  const mayBegin = firstCharacterTable(texts);
  return {
    kind: "split",
    *split({ codes }, from, to) {
      let work = 0;
      for (let split = 0; split < from.count; split++) {
        if (to.keepToken(from, split)) continue;
        const begin = from.start(split);
        const end = from.end(split);
        let lastEnd = begin;
        for (let position = begin; position < end; ) {
          const limit = Math.min(end, position + SLICED_UNITS);
          const candidate = candidateIn(codes, position, limit, mayBegin);
          work += candidate - position + 1;
          position = candidate;
          if (work >= SLICED_UNITS) {
            work = 0;
            yield;
          }
          if (candidate === limit) continue;
          const found = longestMatch(trie, codes, position, end);
          const pattern = found && patterns[found.index];
          if (found === undefined || pattern === undefined) {
            position++;
            continue;
          }
          const match = { start: position, end: found.end, lastEnd };
          position = found.end;
          if (isIgnored(pattern.token)) continue;
          lastEnd = addMatch(pattern, { codes, begin, end, isWhite: whiteSpaceTable() }, match, to);
        }
        to.add(lastEnd, end);
      }
    },
  };
}

/** 1 at the first character of each text, modulo the size of the table. */
function firstCharacterTable(texts: readonly string[]): Uint8Array {
  const table = new Uint8Array(FIRST_CHARACTERS);
  for (const text of texts) table[(text.codePointAt(0) ?? 0) % FIRST_CHARACTERS] = 1;
  return table;
}

/** The index of the first character in `codes[from, to)` that a text may begin with, or `to`. */
function candidateIn(codes: Int32Array, from: number, to: number, mayBegin: Uint8Array): number {
  let index = from;
  while (index < to && mayBegin[(codes[index] ?? 0) % FIRST_CHARACTERS] !== 1) index++;
  return index;
}

/** The longest pattern that begins at a position, by its index, and where it ends. */
function longestMatch(
  trie: Trie,
  codes: Int32Array,
  position: number,
  end: number,
): { readonly index: number; readonly end: number } | undefined {
  let index = NONE;
  let last = position;
  let node = ROOT;
  for (let next = position; next < end; next++) {
    const edge = trie.edge(node, codes[next] ?? 0);
    if (edge === NONE) break;
    const piece = trie.piece(edge);
    if (piece !== NONE) {
      index = piece;
      last = next + 1;
    }
    node = trie.node(edge);
  }
  return index === NONE ? undefined : { index, end: last };
}

/**
 * Adds the text before a match, and the match with the white space that it strips, unless it has to be a single word
 * and isn't. Returns the end of the last token added.
 */
function addMatch({ id, token }: Pattern, section: Section, match: Match, splits: Splits): number {
  const { codes, isWhite } = section;
  const { lastEnd } = match;
  let { start, end } = match;
  if (token.singleWord && (isWordAt(section, start - 1) || isWordAt(section, end))) return lastEnd;
  if (token.lstrip) {
    while (start > lastEnd && isWhite[codes[start - 1] ?? 0] === 1) start--;
    start = Math.max(start, lastEnd);
  }
  if (token.rstrip) while (end < section.end && isWhite[codes[end] ?? 0] === 1) end++;
  splits.add(lastEnd, start);
  splits.add(start, end, id);
  return end;
}

function isWordAt({ codes, begin, end }: Section, index: number): boolean {
  return index >= begin && index < end && isWord(codes[index] ?? 0);
}

function normalize(content: string, normalizer: Normalizer): string {
  const source = new NormalizedString();
  const target = new NormalizedString();
  source.read(content);
  finish(normalizer(source, 0, source.length, target));
  return finish(target.text());
}
