// A trie of the vocabulary's pieces, its edges in one hash table.
import { corrupt } from "./settings.js";

/** No edge, and no piece. */
export const NONE = -1;
/** The node that every piece begins at. */
export const ROOT = 0;

/** Numbers to an edge: the node that it leaves and one more, so that 0 is none; the character; ... */
const WIDTH = 4;
const LABEL = 1;
/** ... the node that it reaches; the piece that ends there, and one more. */
const CHILD = 2;
const PIECE = 3;
const FEWEST_BITS = 12;

export class VocabularyTrie {
  #edges: Int32Array;
  /** What leaves the upper bits of a hash, which are the better ones. */
  #shift: number;
  #nodes = 1;

  constructor(pieces: readonly string[]) {
    let bits = FEWEST_BITS;
    while (2 ** bits < 4 * pieces.length) bits++;
    this.#edges = new Int32Array(WIDTH * 2 ** bits);
    this.#shift = 32 - bits;
    for (let id = 0; id < pieces.length; id++) this.#insert(pieces[id] ?? "", id);
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

  /** The node that an edge reaches. */
  node(edge: number): number {
    return this.#edges[edge + CHILD] ?? ROOT;
  }

  /** The piece that ends with an edge, or NONE. Of equal pieces it is the last, as in Rust. */
  piece(edge: number): number {
    return (this.#edges[edge + PIECE] ?? 0) - 1;
  }

  /** The id of the piece that these characters are, or NONE. */
  lookUp(codes: ArrayLike<number>, from: number, to: number): number {
    let edge = NONE;
    let node = ROOT;
    for (let index = from; index < to; index++) {
      edge = this.edge(node, codes[index] ?? 0);
      if (edge === NONE) return NONE;
      node = this.node(edge);
    }
    return edge === NONE ? NONE : this.piece(edge);
  }

  #insert(piece: string, id: number): void {
    const { length } = piece;
    let node = ROOT;
    let edge = NONE;
    for (let index = 0; index < length; index++) {
      const unit = piece.charCodeAt(index);
      let code = unit;
      if ((unit & 0xf800) === 0xd800) {
        code = piece.codePointAt(index++) ?? unit;
        if (code < 0x10000) throw corrupt("well-formed text", "a piece of the vocabulary", piece);
      }
      edge = this.edge(node, code);
      if (edge === NONE) edge = this.#add(node, code);
      node = this.node(edge);
    }
    if (edge !== NONE) this.#edges[edge + PIECE] = id + 1;
  }

  #add(node: number, code: number): number {
    if (2 * WIDTH * this.#nodes > this.#edges.length) this.#grow();
    const at = freeSlot(this.#edges, this.#shift, node, code);
    this.#edges[at] = node + 1;
    this.#edges[at + LABEL] = code;
    this.#edges[at + CHILD] = this.#nodes++;
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
