// The Unigram model: the best path through the pieces of a text, as Rust's `encode_optimized` finds it.
import { SLICED_UNITS, type Sliced } from "../util/slices.js";
import { MAX_ROOM_KEPT, type NormalizedString } from "./normalized-string.js";
import type { Model, Splits, TokenBuffer } from "./pre-tokenized-string.js";
import {
  corruptSetting,
  type JsonObject,
  readArray,
  readCount,
  readFlag,
  unsupportedSetting,
} from "./tokenizer-json.js";
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
  /** The length of the longest piece in UTF-16 units. */
  readonly #maxPieceLength: number;
  /** The buffers for the next text: undefined while the work on another one is interrupted, or after a failure. */
  #idlePath: Path | undefined;

  /** Reads tokenizer.json's model, each score through `readScore`. Throws ERR_MODEL_CORRUPT. */
  constructor(settings: JsonObject, readScore: (score: number) => number) {
    const { type = "Unigram" } = settings;
    if (type !== "Unigram") {
      throw (typeof type === "string" ? unsupportedSetting : corruptSetting)("Unigram", "model.type", type);
    }
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
    this.#maxPieceLength = tokens.reduce((max, { length }) => Math.max(max, length), 0);
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
  *tokenize(text: NormalizedString, splits: Splits, tokens: TokenBuffer): Sliced<void> {
    const path = this.#idlePath ?? new Path();
    this.#idlePath = undefined;
    let work = 0;
    for (let split = 0; split < splits.count; split++) {
      if (tokens.addSplit(text, splits, split)) continue;
      const from = splits.start(split);
      const size = splits.end(split) - from;
      path.begin(size);
      for (let start = 0; start < size; ) {
        const end = Math.min(size, start + SLICED_UNITS);
        this.#extendPath(path, text.codes, from, start, end, size);
        work += end - start;
        start = end;
        if (work < SLICED_UNITS) continue;
        work = 0;
        yield;
      }
      const first = tokens.length;
      for (let end = size; end > 0; ) {
        end = this.#addPieces(path, text, from, end, tokens);
        if (end > 0 && path.ids[end] === this.#unknown) end = yield* this.#addUnknown(path, text, from, end, tokens);
        else if (end > 0) yield;
      }
      for (let low = first, high = tokens.length - 1; low < high; low += SLICED_UNITS, high -= SLICED_UNITS) {
        if (low > first) yield;
        tokens.exchange(low, high, SLICED_UNITS);
      }
    }
    path.clear();
    this.#idlePath = path;
  }

  /** Extends the best paths from the positions `[begin, end)` of a text of `size` characters, which begins at `from`. */
  #extendPath(path: Path, codes: Int32Array, from: number, begin: number, end: number, size: number): void {
    path.clearTo(Math.min(size, end + this.#maxPieceLength));
    const trie = this.#trie;
    const scores = this.#scores;
    const unknownScore = this.#unknownScore;
    const { scores: pathScores, starts: pieceStarts, ids: pieceIds } = path;
    for (let start = begin; start < end; start++) {
      const scoreBefore = pathScores[start] ?? 0;
      let hasCharacter = false;
      let node = ROOT;
      for (let next = start; next < size; ) {
        const edge = trie.edge(node, codes[from + next] ?? 0);
        if (edge === NONE) break;
        next++;
        const id = trie.piece(edge);
        if (id !== NONE) {
          const score = (scores[id] ?? 0) + scoreBefore;
          if (pieceStarts[next] === NONE || score > (pathScores[next] ?? 0)) {
            pathScores[next] = score;
            pieceStarts[next] = start;
            pieceIds[next] = id;
          }
          if (next === start + 1) hasCharacter = true;
        }
        node = trie.node(edge);
      }
      if (hasCharacter) continue;
      const next = start + 1;
      const score = unknownScore + scoreBefore;
      if (pieceStarts[next] === NONE || score > (pathScores[next] ?? 0)) {
        if (this.#unknown === NONE)
          throw new Error("The text has a character that no piece has, and there is no unk_id");
        pathScores[next] = score;
        pieceStarts[next] = start;
        pieceIds[next] = this.#unknown;
      }
    }
  }

  /**
   * Adds the tokens of the best path, the last one first, from position `end` down to an unknown piece, but for no more
   * than `SLICED_UNITS` characters. Returns the position where it stops.
   */
  #addPieces({ starts, ids }: Path, text: NormalizedString, from: number, end: number, tokens: TokenBuffer): number {
    const last = end - SLICED_UNITS;
    let position = end;
    while (position > 0 && position > last) {
      const id = ids[position] ?? 0;
      if (id === this.#unknown) break;
      const start = starts[position] ?? 0;
      tokens.push(id, text.starts[from + start] ?? 0, text.ends[from + position - 1] ?? 0);
      position = start;
    }
    return position;
  }

  /**
   * Adds the tokens of the unknown pieces of the best path that end at `end`, the last one first: a piece of their
   * text, its bytes, or the unknown token. Returns the position where they begin.
   */
  *#addUnknown(
    path: Path,
    { codes, starts, ends }: NormalizedString,
    from: number,
    end: number,
    tokens: TokenBuffer,
  ): Sliced<number> {
    let begin = path.starts[end] ?? 0;
    let work = 0;
    while (begin > 0 && path.ids[begin] === this.#unknown) {
      begin = path.starts[begin] ?? 0;
      if (++work % SLICED_UNITS === 0) yield;
    }
    const start = starts[from + begin] ?? 0;
    const stop = ends[from + end - 1] ?? 0;
    const whole = this.#trie.find(codes, from + begin, from + end);
    if (whole !== NONE || this.#byteIds === undefined) {
      tokens.push(whole === NONE ? this.#unknown : whole, start, stop);
      return begin;
    }
    const first = tokens.length;
    for (let index = end - 1; index >= begin; index--) {
      if (++work % SLICED_UNITS === 0) yield;
      const code = codes[from + index] ?? 0;
      const size = utf8Size(code);
      for (let part = size - 1; part >= 0; part--) {
        const id = this.#byteIds[utf8Byte(code, size, part)] ?? NONE;
        if (id !== NONE) {
          tokens.push(id, start, stop);
          continue;
        }
        tokens.length = first;
        tokens.push(this.#unknown, start, stop);
        return begin;
      }
    }
    return begin;
  }

  #findByteIds(): Int32Array {
    return Int32Array.from({ length: BYTES }, (_, byte) => {
      const digits = byte.toString(16).toUpperCase().padStart(2, "0");
      return this.tokenToId(`<0x${digits}>`) ?? NONE;
    });
  }
}

/** Of the best path to each position of a text: its score, and the start and the id of its last piece. */
class Path {
  scores = new Float64Array(MIN_ROOM);
  starts = new Int32Array(MIN_ROOM);
  ids = new Int32Array(MIN_ROOM);
  /** The number of positions from the first on that have a path or are known to have none yet. */
  #known = 0;

  /** Begins the paths of a text of `size` characters. */
  begin(size: number): void {
    if (size >= this.starts.length) this.#allocate(Math.max(size + 1, 2 * MIN_ROOM));
    this.scores[0] = 0;
    this.#known = 0;
  }

  /** Prepares the positions up to `last`, which have no path yet. */
  clearTo(last: number): void {
    if (last < this.#known) return;
    this.starts.fill(NONE, this.#known, last + 1);
    this.#known = last + 1;
  }

  /** Releases the buffers of a long text. */
  clear(): void {
    if (this.starts.length > MAX_ROOM_KEPT) this.#allocate(MIN_ROOM);
  }

  #allocate(room: number): void {
    this.scores = new Float64Array(room);
    this.starts = new Int32Array(room);
    this.ids = new Int32Array(room);
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
