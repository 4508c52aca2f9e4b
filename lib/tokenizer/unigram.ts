// The Unigram model: the best path through the pieces of a text, as Rust's `encode_optimized` finds it.
import { MAX_ROOM_KEPT, type NormalizedString } from "./normalized-string.js";
import type { Model, TokenBuffer } from "./pre-tokenized-string.js";
import { corruptSetting, type JsonObject, readArray, readCount, readFlag } from "./tokenizer-json.js";
import { NONE, ROOT, Trie } from "./trie.js";
import { utf8Byte, utf8Size } from "./utf8.js";

/** The score of an unknown character is this much below the minimum score of the vocabulary. */
const UNKNOWN_PENALTY = 10;
const MIN_ROOM = 256;
const BYTES = 256;

/** serde_json reads a decimal of this many digits exactly: both the digits and the power of ten are exact doubles. */
const EXACT_DIGITS = 15;
/** The largest power of ten that is finite. */
const MAX_POWER = 308;
const DECIMAL = /^(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/;
const POWERS = Array.from({ length: MAX_POWER + 1 }, (_, power) => Number(`1e${power}`));

export class Unigram implements Model {
  readonly #tokens: readonly string[];
  readonly #scores: Float64Array;
  readonly #trie: Trie;
  /** The id of the unknown token, or NONE. */
  readonly #unknown: number;
  readonly #unknownScore: number;
  /** The ids of the byte tokens, if the model has byte fallback. */
  readonly #byteIds: Int32Array | undefined;
  /** Of the best path to each position: its score, and the start and the id of its last piece. */
  #pathScores = new Float64Array(MIN_ROOM);
  #pieceStarts = new Int32Array(MIN_ROOM);
  #pieceIds = new Int32Array(MIN_ROOM);

  /** Reads tokenizer.json's model, each score through `readScore`. Throws ERR_MODEL_CORRUPT. */
  constructor(settings: JsonObject, readScore: (score: number) => number) {
    const { type = "Unigram" } = settings;
    if (type !== "Unigram") throw corruptSetting("Unigram", "model.type", type);
    const vocabulary = readArray(settings.vocab, "model.vocab");
    const tokens = new Array<string>(vocabulary.length);
    this.#scores = new Float64Array(vocabulary.length);
    let minScore = Number.POSITIVE_INFINITY;
    for (let id = 0; id < vocabulary.length; id++) {
      const entry: unknown = vocabulary[id];
      const [token, score]: readonly unknown[] = Array.isArray(entry) ? entry : [];
      if (typeof token !== "string" || typeof score !== "number") {
        throw corruptSetting("a piece and its score", `model.vocab[${id}]`, entry);
      }
      tokens[id] = token;
      const read = readScore(score);
      this.#scores[id] = read;
      if (read < minScore) minScore = read;
    }
    this.#tokens = tokens;
    this.#unknown = readUnknown(settings.unk_id, tokens.length);
    this.#unknownScore = minScore - UNKNOWN_PENALTY;
    this.#trie = new Trie(tokens);
    if (readFlag(settings.byte_fallback, "model.byte_fallback", false)) this.#byteIds = this.#findByteIds();
  }

  get vocabSize(): number {
    return this.#tokens.length;
  }

  /** The token of an id, or undefined if the vocabulary has none. */
  idToToken(id: number): string | undefined {
    return this.#tokens[id];
  }

  /** The id of a token, or undefined if it isn't in the vocabulary. */
  tokenToId(token: string): number | undefined {
    const codes = Array.from(token, (character) => character.codePointAt(0) ?? 0);
    const id = this.#trie.find(codes, 0, codes.length);
    return id === NONE ? undefined : id;
  }

  /** Throws an Error for a character that no piece contains, if the model has no unknown token. */
  tokenize(text: NormalizedString, from: number, to: number, tokens: TokenBuffer): void {
    this.#findBestPath(text.codes, from, to);
    this.#addPath(text, from, to, tokens);
    if (this.#pathScores.length > MAX_ROOM_KEPT) this.#allocate(MIN_ROOM);
  }

  #findBestPath(codes: Int32Array, from: number, to: number): void {
    const size = to - from;
    if (size >= this.#pathScores.length) this.#allocate(2 * (size + 1));
    const trie = this.#trie;
    const scores = this.#scores;
    const pathScores = this.#pathScores;
    const pieceStarts = this.#pieceStarts;
    const pieceIds = this.#pieceIds;
    const unknownScore = this.#unknownScore;
    pathScores[0] = 0;
    pieceStarts.fill(NONE, 0, size + 1);
    for (let start = 0; start < size; start++) {
      const scoreBefore = pathScores[start] ?? 0;
      let hasCharacter = false;
      let node = ROOT;
      for (let end = start; end < size; ) {
        const edge = trie.edge(node, codes[from + end] ?? 0);
        if (edge === NONE) break;
        end++;
        const id = trie.piece(edge);
        if (id !== NONE) {
          const score = (scores[id] ?? 0) + scoreBefore;
          if (pieceStarts[end] === NONE || score > (pathScores[end] ?? 0)) {
            pathScores[end] = score;
            pieceStarts[end] = start;
            pieceIds[end] = id;
          }
          if (end === start + 1) hasCharacter = true;
        }
        node = trie.node(edge);
      }
      if (hasCharacter) continue;
      const end = start + 1;
      const score = unknownScore + scoreBefore;
      if (pieceStarts[end] === NONE || score > (pathScores[end] ?? 0)) {
        if (this.#unknown === NONE)
          throw new Error("The text has a character that no piece has, and there is no unk_id");
        pathScores[end] = score;
        pieceStarts[end] = start;
        pieceIds[end] = this.#unknown;
      }
    }
  }

  /** Adds the tokens of the best path, read from its end. Consecutive unknown pieces become one. */
  #addPath(text: NormalizedString, from: number, to: number, tokens: TokenBuffer): void {
    const first = tokens.length;
    for (let end = to - from; end > 0; ) {
      let start = this.#pieceStarts[end] ?? 0;
      const id = this.#pieceIds[end] ?? 0;
      if (id !== this.#unknown) {
        tokens.push(id, text.starts[from + start] ?? 0, text.ends[from + end - 1] ?? 0);
      } else {
        while (start > 0 && this.#pieceIds[start] === this.#unknown) start = this.#pieceStarts[start] ?? 0;
        this.#addUnknown(text, from + start, from + end, tokens);
      }
      end = start;
    }
    tokens.reverse(first);
  }

  /** Adds the tokens of an unknown text, last token first: a piece of that text, its bytes, or the unknown token. */
  #addUnknown({ codes, starts, ends }: NormalizedString, from: number, to: number, tokens: TokenBuffer): void {
    const start = starts[from] ?? 0;
    const end = ends[to - 1] ?? 0;
    const whole = this.#trie.find(codes, from, to);
    if (whole !== NONE || this.#byteIds === undefined) {
      tokens.push(whole === NONE ? this.#unknown : whole, start, end);
      return;
    }
    const first = tokens.length;
    for (let index = to - 1; index >= from; index--) {
      const code = codes[index] ?? 0;
      const size = utf8Size(code);
      for (let part = size - 1; part >= 0; part--) {
        const id = this.#byteIds[utf8Byte(code, size, part)] ?? NONE;
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

  #findByteIds(): Int32Array {
    return Int32Array.from({ length: BYTES }, (_, byte) => {
      const digits = byte.toString(16).toUpperCase().padStart(2, "0");
      return this.tokenToId(`<0x${digits}>`) ?? NONE;
    });
  }

  #allocate(room: number): void {
    this.#pathScores = new Float64Array(room);
    this.#pieceStarts = new Int32Array(room);
    this.#pieceIds = new Int32Array(room);
  }
}

/**
 * The number that Rust's serde_json reads where JavaScript and Python read `score`. It divides the digits, as a whole
 * number, by a power of ten, and so may differ in the last bit. Paths that tie with exact scores then have a best one,
 * for instance for "-------" with T5's vocabulary. The file is taken to have as many digits as the number needs, as
 * Python and Rust write it.
 */
export function serdeJsonScore(score: number): number {
  const text = String(Math.abs(score));
  if (text.length <= EXACT_DIGITS + 1 && !text.includes("e")) return score;
  const read = parseAsSerdeJson(text);
  return score < 0 ? -read : read;
}

function parseAsSerdeJson(text: string): number {
  const point = text.indexOf(".");
  // A shortcut for the usual form: digits, a point, digits.
  if (point > 0 && !text.includes("e")) {
    return Number(text.slice(0, point) + text.slice(point + 1)) / powerOfTen(text.length - point - 1);
  }
  const [, digits = "", fraction = "", exponent = "0"] = DECIMAL.exec(text) ?? [];
  let number = Number(digits + fraction);
  let power = Number(exponent) - fraction.length;
  for (; power < -MAX_POWER; power += MAX_POWER) number /= powerOfTen(MAX_POWER);
  return power < 0 ? number / powerOfTen(-power) : number * powerOfTen(power);
}

function powerOfTen(exponent: number): number {
  return POWERS[exponent] ?? Number.POSITIVE_INFINITY;
}

function readUnknown(id: unknown, vocabSize: number): number {
  if (id === null || id === undefined) return NONE;
  const unknown = readCount(id, "model.unk_id");
  if (unknown >= vocabSize) throw corruptSetting(`an id below ${vocabSize}`, "model.unk_id", id);
  return unknown;
}
