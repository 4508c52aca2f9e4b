// A trie of pieces of text, its edges in one hash table. Only the first two characters of a piece are inserted at load.
// The rest is inserted when a text first contains these two, so that 250,000 pieces cost little time at load.
import { corruptSetting } from "./tokenizer-json.js";

/** No edge, no piece. */
export const NONE = -1;
/** The node at which every piece begins. */
export const ROOT = 0;

/** Numbers in an edge. The first is its parent node plus 1; 0 marks a free slot. */
const WIDTH = 4;
/** The character. */
const LABEL = 1;
/** The child node. While it isn't made: -2 minus the id of the first piece that waits here, or -1 if none does. */
const CHILD = 2;
/** The id of the piece that ends here plus 1, or 0. */
const PIECE = 3;
const MIN_BITS = 12;
/** The number of characters of a piece that are inserted at load. */
const EAGER_CHARACTERS = 2;

export class Trie {
  #edges: Int32Array;
  /** A hash shifted right by this is a slot: the upper bits are the better ones. */
  #shift: number;
  #nodeCount = 1;
  #edgeCount = 0;

  readonly #pieces: readonly string[];
  /** For each waiting piece, the next one that waits at the same edge, or NONE. */
  readonly #nextWaiting: Int32Array;

  /** The id of a piece is its index. Throws ERR_MODEL_CORRUPT for a piece that isn't well-formed. */
  constructor(pieces: readonly string[]) {
    let bits = MIN_BITS;
    while (2 ** bits < pieces.length) bits++;
    this.#edges = new Int32Array(WIDTH * 2 ** bits);
    this.#shift = 32 - bits;
    this.#pieces = pieces;
    this.#nextWaiting = new Int32Array(pieces.length);
    for (let id = 0; id < pieces.length; id++) this.#insert(ROOT, id, 0, EAGER_CHARACTERS);
  }

  /** The edge from a node along a character, or NONE. */
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

  /** The child node of an edge. This may move edges: use no edge after it that was found before. */
  node(edge: number): number {
    const node = this.#edges[edge + CHILD] ?? ROOT;
    return node < 0 ? this.#expand(edge) : node;
  }

  /** The id of the piece that ends with an edge, or NONE. Of equal pieces it is the last, as in Rust. */
  piece(edge: number): number {
    return (this.#edges[edge + PIECE] ?? 0) - 1;
  }

  /** The id of the piece that equals `codes[from, to)`, or NONE. */
  find(codes: ArrayLike<number>, from: number, to: number): number {
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

  /** Inserts a piece below a node, from its unit at `start` on. After `count` characters the rest waits at the edge. */
  #insert(from: number, id: number, start: number, count = Number.POSITIVE_INFINITY): void {
    const piece = this.#pieces[id] ?? "";
    const { length } = piece;
    let node = from;
    let index = start;
    for (let depth = 1; index < length; depth++) {
      const code = piece.codePointAt(index) ?? 0;
      if ((code & ~0x7ff) === 0xd800) throw corruptSetting("well-formed text", "a piece of the vocabulary", piece);
      index += code < 0x10000 ? 1 : 2;
      let edge = this.edge(node, code);
      if (edge === NONE) edge = this.#add(node, code, depth === count);
      if (index === length) {
        this.#edges[edge + PIECE] = Math.max(this.#edges[edge + PIECE] ?? 0, id + 1);
      } else if (depth === count) {
        this.#nextWaiting[id] = -(this.#edges[edge + CHILD] ?? 0) - 2;
        this.#edges[edge + CHILD] = -id - 2;
        return;
      } else {
        node = this.#edges[edge + CHILD] ?? ROOT;
      }
    }
  }

  /** Makes the child node of an edge, and inserts the pieces that wait there. */
  #expand(edge: number): number {
    const node = this.#nodeCount++;
    let id = -(this.#edges[edge + CHILD] ?? 0) - 2;
    this.#edges[edge + CHILD] = node;
    while (id !== NONE) {
      const piece = this.#pieces[id] ?? "";
      let start = 0;
      for (let skipped = 0; skipped < EAGER_CHARACTERS; skipped++)
        start += (piece.codePointAt(start) ?? 0) < 0x10000 ? 1 : 2;
      this.#insert(node, id, start);
      id = this.#nextWaiting[id] ?? NONE;
    }
    return node;
  }

  #add(node: number, code: number, isWaiting: boolean): number {
    this.#edgeCount++;
    if (2 * WIDTH * this.#edgeCount > this.#edges.length) this.#grow();
    const at = freeSlot(this.#edges, this.#shift, node, code);
    this.#edges[at] = node + 1;
    this.#edges[at + LABEL] = code;
    this.#edges[at + CHILD] = isWaiting ? NONE : this.#nodeCount++;
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
