// A trie of the vocabulary's pieces, its edges in one hash table. Pieces are put into it when their first two characters
// are first met, so that 250,000 of them cost no time at load.
import { corrupt } from "./settings.js";

/** No edge, and no piece. */
export const NONE = -1;
/** The node that every piece begins at. */
export const ROOT = 0;

/** Numbers to an edge: the node that it leaves and one more, so that 0 is none; the character; ... */
const WIDTH = 4;
const LABEL = 1;
/** ... the node that it reaches, below 0 while pieces wait there; the piece that ends there, and one more. */
const CHILD = 2;
const PIECE = 3;
const FEWEST_BITS = 12;
/** Characters of a piece that are put into the trie at once. */
const AT_ONCE = 2;

export class VocabularyTrie {
  #edges: Int32Array;
  /** What leaves the upper bits of a hash, which are the better ones. */
  #shift: number;
  #nodes = 1;
  #count = 0;

  readonly #pieces: readonly string[];
  /** The piece that waits behind each one at the same edge, or NONE. */
  readonly #waiting: Int32Array;

  constructor(pieces: readonly string[]) {
    let bits = FEWEST_BITS;
    while (2 ** bits < pieces.length) bits++;
    this.#edges = new Int32Array(WIDTH * 2 ** bits);
    this.#shift = 32 - bits;
    this.#pieces = pieces;
    this.#waiting = new Int32Array(pieces.length);
    for (let id = 0; id < pieces.length; id++) this.#insert(ROOT, id, 0, AT_ONCE);
  }

  /** The edge of a node along a character, or NONE. */
  edge(node: number, code: number): number {
    const edges = this.#edges;
    let at = WIDTH * (hash(node, code) >>> this.#shift);
    for (;;) {
      const parent = edges[at];
      if (parent === node + 1 && edges[at + LABEL] === code) return at;
      if (parent === 0) return NONE;
      at += WIDTH;
      if (at === edges.length) at = 0;
    }
  }

  /** The node that an edge reaches. The edge may not be used again. */
  node(edge: number): number {
    const node = this.#edges[edge + CHILD] ?? ROOT;
    return node < 0 ? this.#expand(edge) : node;
  }

  /** The piece that ends with an edge, or NONE. Of equal pieces it is the last, as in Rust. */
  piece(edge: number): number {
    return (this.#edges[edge + PIECE] ?? 0) - 1;
  }

  /** The id of the piece that these characters are, or NONE. */
  lookUp(codes: ArrayLike<number>, from: number, to: number): number {
    let piece = NONE;
    let node = ROOT;
    for (let index = from; index < to; index++) {
      const edge = this.edge(node, codes[index] ?? 0);
      if (edge === NONE) return NONE;
      piece = this.piece(edge);
      node = this.node(edge);
    }
    return piece;
  }

  /** Puts a piece below a node, from its character at `start` on; `count` characters of it, where the rest waits. */
  #insert(from: number, id: number, start: number, count = Number.POSITIVE_INFINITY): void {
    const piece = this.#pieces[id] ?? "";
    const { length } = piece;
    let node = from;
    let index = start;
    for (let depth = 1; index < length; depth++) {
      const code = piece.codePointAt(index) ?? 0;
      if ((code & ~0x7ff) === 0xd800) throw corrupt("well-formed text", "a piece of the vocabulary", piece);
      index += code < 0x10000 ? 1 : 2;
      let edge = this.edge(node, code);
      if (edge === NONE) edge = this.#add(node, code, depth === count);
      if (index === length) {
        this.#edges[edge + PIECE] = Math.max(this.#edges[edge + PIECE] ?? 0, id + 1);
      } else if (depth === count) {
        this.#waiting[id] = -(this.#edges[edge + CHILD] ?? 0) - 2;
        this.#edges[edge + CHILD] = -id - 2;
        return;
      } else {
        node = this.#edges[edge + CHILD] ?? ROOT;
      }
    }
  }

  /** Puts the pieces into the trie that wait at an edge. */
  #expand(edge: number): number {
    const node = this.#nodes++;
    let id = -(this.#edges[edge + CHILD] ?? 0) - 2;
    this.#edges[edge + CHILD] = node;
    while (id !== NONE) {
      const piece = this.#pieces[id] ?? "";
      let start = 0;
      for (let skipped = 0; skipped < AT_ONCE; skipped++) start += (piece.codePointAt(start) ?? 0) < 0x10000 ? 1 : 2;
      this.#insert(node, id, start);
      id = this.#waiting[id] ?? NONE;
    }
    return node;
  }

  #add(node: number, code: number, isWaiting: boolean): number {
    this.#count++;
    if (2 * WIDTH * this.#count > this.#edges.length) this.#grow();
    const at = freeSlot(this.#edges, this.#shift, node, code);
    this.#edges[at] = node + 1;
    this.#edges[at + LABEL] = code;
    this.#edges[at + CHILD] = isWaiting ? NONE : this.#nodes++;
    return at;
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.#edges.length);
    const shift = this.#shift - 1;
    for (let at = 0; at < this.#edges.length; at += WIDTH) {
      const parent = this.#edges[at] ?? 0;
      if (parent === 0) continue;
      const slot = freeSlot(larger, shift, parent - 1, this.#edges[at + LABEL] ?? 0);
      for (let field = 0; field < WIDTH; field++) larger[slot + field] = this.#edges[at + field] ?? 0;
    }
    this.#edges = larger;
    this.#shift = shift;
  }
}

function freeSlot(edges: Int32Array, shift: number, node: number, code: number): number {
  let at = WIDTH * (hash(node, code) >>> shift);
  while (edges[at] !== 0) {
    at += WIDTH;
    if (at === edges.length) at = 0;
  }
  return at;
}

function hash(node: number, code: number): number {
  return Math.imul(Math.imul(node, 0x9e3779b1) ^ code, 0x85ebca6b);
}
