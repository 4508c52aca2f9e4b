// The Unigram model: the best path through the pieces of a text, as Rust's `encode_optimized` finds it.
import { type AlignedText, MOST_ROOM_KEPT } from "./aligned-text.js";
import { corrupt, type Json, readArray, readCount, readFlag } from "./settings.js";
import type { TokenList } from "./token-list.js";
import { byteOf, bytesOf } from "./utf8.js";
import { NONE, ROOT, VocabularyTrie } from "./vocabulary-trie.js";

/** How much worse than the worst piece an unknown character is. */
const UNKNOWN_PENALTY = 10;
const LEAST_ROOM = 256;
const BYTES = 256;

export class Unigram {
  readonly tokens: readonly string[];
  readonly #scores: Float64Array;
  readonly #trie: VocabularyTrie;
  readonly #unknown: number;
  readonly #unknownScore: number;
  /** The ids of the bytes, where a text that no piece has is spelt with them. */
  readonly #bytes: Int32Array | undefined;
  /** Of the best path to each position: its score, where its last piece begins, and which one that is. */
  #best = new Float64Array(LEAST_ROOM);
  #from = new Int32Array(LEAST_ROOM);
  #piece = new Int32Array(LEAST_ROOM);

  /** Reads tokenizer.json's model, the scores with `readScore`. Throws ERR_MODEL_CORRUPT. */
  constructor(settings: Json, readScore: (score: number) => number) {
    const { type = "Unigram" } = settings;
    if (type !== "Unigram") throw corrupt("Unigram", "model.type", type);
    const vocabulary = readArray(settings.vocab, "model.vocab");
    const tokens = new Array<string>(vocabulary.length);
    this.#scores = new Float64Array(vocabulary.length);
    let least = Number.POSITIVE_INFINITY;
    for (let id = 0; id < vocabulary.length; id++) {
      const entry: unknown = vocabulary[id];
      const [token, score]: readonly unknown[] = Array.isArray(entry) ? entry : [];
      if (typeof token !== "string" || typeof score !== "number") {
        throw corrupt("a piece and its score", `model.vocab[${id}]`, entry);
      }
      tokens[id] = token;
      const read = readScore(score);
      this.#scores[id] = read;
      if (read < least) least = read;
    }
    this.tokens = tokens;
    this.#unknown = readUnknown(settings.unk_id, tokens.length);
    this.#unknownScore = least - UNKNOWN_PENALTY;
    this.#trie = new VocabularyTrie(tokens);
    if (readFlag(settings.byte_fallback, "model.byte_fallback", false)) this.#bytes = this.#findBytes();
  }

  /** The id of a token, or undefined. */
  id(token: string): number | undefined {
    const codes = Array.from(token, (character) => character.codePointAt(0) ?? 0);
    const id = this.#trie.lookUp(codes, 0, codes.length);
    return id === NONE ? undefined : id;
  }

  /** Adds the tokens of a piece of text. */
  encode(text: AlignedText, from: number, to: number, tokens: TokenList): void {
    this.#findBest(text.codes, from, to);
    this.#collect(text, from, to, tokens);
    if (this.#best.length > MOST_ROOM_KEPT) this.#makeRoom(LEAST_ROOM);
  }

  #findBest(codes: Int32Array, from: number, to: number): void {
    const size = to - from;
    if (size >= this.#best.length) this.#makeRoom(2 * (size + 1));
    const trie = this.#trie;
    const scores = this.#scores;
    const best = this.#best;
    const origin = this.#from;
    const piece = this.#piece;
    const unknownScore = this.#unknownScore;
    best[0] = 0;
    origin.fill(NONE, 0, size + 1);
    for (let start = 0; start < size; start++) {
      const soFar = best[start] ?? 0;
      let isKnown = false;
      let node = ROOT;
      for (let end = start; end < size; ) {
        const edge = trie.edge(node, codes[from + end] ?? 0);
        if (edge === NONE) break;
        end++;
        const id = trie.piece(edge);
        if (id !== NONE) {
          const score = (scores[id] ?? 0) + soFar;
          if (origin[end] === NONE || score > (best[end] ?? 0)) {
            best[end] = score;
            origin[end] = start;
            piece[end] = id;
          }
          if (end === start + 1) isKnown = true;
        }
        node = trie.node(edge);
      }
      if (isKnown) continue;
      const end = start + 1;
      const score = unknownScore + soFar;
      if (origin[end] === NONE || score > (best[end] ?? 0)) {
        if (this.#unknown === NONE)
          throw new Error("The text has a character that no piece has, and there is no unk_id");
        best[end] = score;
        origin[end] = start;
        piece[end] = this.#unknown;
      }
    }
  }

  /** Reads the best path from its end; unknown pieces beside each other are one. */
  #collect(text: AlignedText, from: number, to: number, tokens: TokenList): void {
    const first = tokens.length;
    for (let end = to - from; end > 0; ) {
      let start = this.#from[end] ?? 0;
      const id = this.#piece[end] ?? 0;
      if (id !== this.#unknown) {
        tokens.push(id, text.starts[from + start] ?? 0, text.ends[from + end - 1] ?? 0);
      } else {
        while (start > 0 && this.#piece[start] === this.#unknown) start = this.#from[start] ?? 0;
        this.#pushUnknown(text, from + start, from + end, tokens);
      }
      end = start;
    }
    tokens.reverse(first);
  }

  /** Adds, last first, what stands for a text that isn't a piece. */
  #pushUnknown({ codes, starts, ends }: AlignedText, from: number, to: number, tokens: TokenList): void {
    const start = starts[from] ?? 0;
    const end = ends[to - 1] ?? 0;
    const whole = this.#trie.lookUp(codes, from, to);
    if (whole !== NONE || this.#bytes === undefined) {
      tokens.push(whole === NONE ? this.#unknown : whole, start, end);
      return;
    }
    const first = tokens.length;
    for (let index = to - 1; index >= from; index--) {
      const code = codes[index] ?? 0;
      const size = bytesOf(code);
      for (let part = size - 1; part >= 0; part--) {
        const id = this.#bytes[byteOf(code, size, part)] ?? NONE;
        if (id !== NONE) {
          tokens.push(id, start, end);
          continue;
        }
        tokens.length = first;
        tokens.push(this.#unknown, start, end);
        return;
      }
    }
  }

  #findBytes(): Int32Array {
    return Int32Array.from({ length: BYTES }, (_, byte) => {
      const digits = byte.toString(16).toUpperCase().padStart(2, "0");
      return this.id(`<0x${digits}>`) ?? NONE;
    });
  }

  #makeRoom(room: number): void {
    this.#best = new Float64Array(room);
    this.#from = new Int32Array(room);
    this.#piece = new Int32Array(room);
  }
}

function readUnknown(id: unknown, count: number): number {
  if (id === null || id === undefined) return NONE;
  const known = readCount(id, "model.unk_id");
  if (known >= count) throw corrupt(`an id below ${count}`, "model.unk_id", id);
  return known;
}
