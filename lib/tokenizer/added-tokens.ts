// Tokens beside the vocabulary: found in the text before anything else, the leftmost first, of these the longest.
import type { AlignedText } from "./aligned-text.js";
import type { Normalizer } from "./normalizer.js";
import type { Ranges, Splitter } from "./pieces.js";
import { corrupt, readArray, readFlag, readRecord, readString } from "./settings.js";
import { isWord } from "./unicode/characters.js";
import { NONE, ROOT, VocabularyTrie } from "./vocabulary-trie.js";

/** One of tokenizer.json's added_tokens. */
export interface AddedToken {
  readonly content: string;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

export interface Vocabulary {
  readonly tokens: readonly string[];
  id(token: string): number | undefined;
}

export interface AddedTokensOptions {
  readonly normalizer: Normalizer | undefined;
  readonly makeText: () => AlignedText;
  /** Special tokens are text as any other: `split_special_tokens`. */
  readonly splitSpecial: boolean;
  /** 1 at what lstrip and rstrip take away. */
  readonly whiteSpace: () => Uint8Array;
}

export class AddedTokens {
  /** What each id decodes to: for a normalized token that is its normalized form, as in Rust. */
  readonly #decoded = new Map<number, string>();
  readonly #ids = new Map<string, number>();
  readonly #tokens = new Map<number, AddedToken>();
  readonly #special = new Set<string>();
  /** Splitters of the text as it is, and of its normalized form; undefined where there is nothing to find. */
  readonly splitRaw: Splitter | undefined;
  readonly splitNormalized: Splitter | undefined;

  /** As in Rust, the id that a token has already is kept, and else the next one is taken. */
  constructor(tokens: readonly AddedToken[], vocabulary: Vocabulary, options: AddedTokensOptions) {
    for (const token of tokens) if (token.content !== "") this.#add(token, vocabulary, options);
    const isSkipped = ({ content }: AddedToken) => options.splitSpecial && this.#special.has(content);
    const entries = [...this.#tokens];
    const splitterOf = (normalized: boolean) =>
      makeSplitter(
        entries
          .filter(([, token]) => token.normalized === normalized)
          .map(([id, token]) => ({ id, token, pattern: this.#decoded.get(id) ?? token.content })),
        isSkipped,
        options.whiteSpace,
      );
    this.splitRaw = splitterOf(false);
    this.splitNormalized = splitterOf(true);
  }

  /** The id of a token, or undefined. */
  id(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** The token of an id, or undefined. */
  token(id: number): string | undefined {
    return this.#decoded.get(id);
  }

  /** Whether decoding without special tokens leaves a token out. */
  isSpecial(token: string): boolean {
    return this.#special.has(token);
  }

  #add(token: AddedToken, vocabulary: Vocabulary, { normalizer, makeText }: AddedTokensOptions): void {
    const { content } = token;
    const id = this.#ids.get(content) ?? vocabulary.id(content) ?? this.#nextId(vocabulary.tokens.length);
    this.#ids.set(content, id);
    this.#tokens.set(id, token);
    if (token.special) this.#special.add(content);
    const normalize = token.normalized ? normalizer : undefined;
    this.#decoded.set(id, normalize === undefined ? content : normalized(content, normalize, makeText));
  }

  #nextId(size: number): number {
    let next = size;
    for (const id of this.#tokens.keys()) next = Math.max(next, id + 1);
    return next;
  }
}

const FIRST_CHARACTERS = 256;

interface Pattern {
  readonly id: number;
  readonly token: AddedToken;
  readonly pattern: string;
}

function makeSplitter(
  patterns: readonly Pattern[],
  isSkipped: (token: AddedToken) => boolean,
  whiteSpace: () => Uint8Array,
): Splitter | undefined {
  if (patterns.length === 0) return undefined;
  const texts = patterns.map(({ pattern }) => pattern);
  const seen = new Set([""]);
  for (const text of texts) {
    if (seen.has(text)) throw corrupt("contents that are not empty and differ", "added_tokens", text);
    seen.add(text);
  }
  const trie = new VocabularyTrie(texts);
  const mayBegin = firstCharacters(texts);
  return {
    changes: false,
    split({ codes }, begin, end, ranges) {
      let done = begin;
      for (let position = begin; position < end; ) {
        const code = codes[position] ?? 0;
        const found = mayBegin[code % FIRST_CHARACTERS] === 1 ? longestAt(trie, codes, position, end) : undefined;
        const pattern = found && patterns[found.index];
        if (found === undefined || pattern === undefined) {
          position++;
          continue;
        }
        const match = { start: position, stop: found.end, done };
        position = found.end;
        if (!isSkipped(pattern.token))
          done = take(pattern, { codes, begin, end, isWhite: whiteSpace() }, match, ranges);
      }
      ranges.add(done, end);
    },
  };
}

/** Where the first characters of texts are, modulo a small number. */
function firstCharacters(texts: readonly string[]): Uint8Array {
  const table = new Uint8Array(FIRST_CHARACTERS);
  for (const text of texts) table[(text.codePointAt(0) ?? 0) % FIRST_CHARACTERS] = 1;
  return table;
}

interface Part {
  readonly codes: Int32Array;
  readonly begin: number;
  readonly end: number;
  readonly isWhite: Uint8Array;
}

interface Match {
  readonly start: number;
  readonly stop: number;
  /** Where the last match ended. */
  readonly done: number;
}

/** Adds a match and what is before it, unless it is no single word. Returns where it ends. */
function take({ id, token }: Pattern, part: Part, match: Match, ranges: Ranges): number {
  const { codes, begin, end, isWhite } = part;
  let { start, stop } = match;
  if (token.singleWord && (wordAt(codes, begin, start - 1) || (stop < end && isWord(codes[stop] ?? 0)))) {
    return match.done;
  }
  if (token.lstrip) {
    while (start > match.done && isWhite[codes[start - 1] ?? 0] === 1) start--;
    start = Math.max(start, match.done);
  }
  if (token.rstrip) while (stop < end && isWhite[codes[stop] ?? 0] === 1) stop++;
  ranges.add(match.done, start);
  ranges.add(start, stop, id);
  return stop;
}

function wordAt(codes: Int32Array, begin: number, index: number): boolean {
  return index >= begin && isWord(codes[index] ?? 0);
}

/** The longest pattern that begins at a position. */
function longestAt(
  trie: VocabularyTrie,
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

function normalized(content: string, normalize: Normalizer, makeText: () => AlignedText): string {
  const source = makeText();
  const target = makeText();
  source.read(content);
  normalize(source, 0, source.length, target);
  return target.toString();
}

/** Reads tokenizer.json's added_tokens. Throws ERR_MODEL_CORRUPT. */
export function readAddedTokens(settings: unknown): readonly AddedToken[] {
  return readArray(settings ?? [], "added_tokens").map((value, index) =>
    readAddedToken(value, `added_tokens[${index}]`),
  );
}

/** Reads one token. Throws ERR_MODEL_CORRUPT. */
export function readAddedToken(value: unknown, name: string): AddedToken {
  const settings = readRecord(value, name);
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
