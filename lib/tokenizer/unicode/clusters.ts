// Extended grapheme clusters (Unicode Annex 29), of the Unicode version that Rust's tokenizers has; Node has others.
import * as data from "./cluster-data.js";
import { fillRuns, lazyTable } from "./code-points.js";

const OTHER = 0;
const CONTROL = 1;
const EXTEND = 2;
const SPACING_MARK = 3;
const JOINER = 4;
const PREPEND = 5;
const CONSONANT = 6;
const PICTOGRAPH = 7;
const L = 8;
const V = 9;
const T = 10;
const LV = 11;
const LVT = 12;
/** The mask of the kinds above; the flags below are separate bits. */
const KIND = 15;
/** Indic_Conjunct_Break: Linker (a virama) and Extend (may stand between a virama and a consonant). */
const LINKER = 16;
const CONJOINING = 32;

const CR = 13;
const LF = 10;

const kindTable = lazyTable((kinds) => {
  fillRuns(kinds, data.CONTROL, CONTROL);
  fillRuns(kinds, data.EXTEND, EXTEND);
  fillRuns(kinds, data.EXTEND_LINKER, EXTEND | LINKER);
  fillRuns(kinds, data.EXTEND_CONJOINING, EXTEND | CONJOINING);
  fillRuns(kinds, data.SPACING_MARK, SPACING_MARK);
  fillRuns(kinds, data.JOINER, JOINER | CONJOINING);
  fillRuns(kinds, data.PREPEND, PREPEND);
  fillRuns(kinds, data.CONSONANT, CONSONANT);
  fillRuns(kinds, data.PICTOGRAPH, PICTOGRAPH);
  fillRuns(kinds, data.HANGUL_L, L);
  fillRuns(kinds, data.HANGUL_V, V);
  fillRuns(kinds, data.HANGUL_T, T);
  fillRuns(kinds, data.HANGUL_LV, LV);
  fillRuns(kinds, data.HANGUL_LVT, LVT);
});

/**
 * The end of the cluster that begins at `start`. It depends on no character before `start`. Regional indicators don't
 * join: scripts/unicode-tables explains why.
 */
export function clusterEnd(codes: Int32Array, start: number, end: number): number {
  const kinds = kindTable();
  let code = codes[start] ?? 0;
  let before = kinds[code] ?? OTHER;
  let conjunct = conjunctAfter(NO_CONJUNCT, before);
  let emoji = emojiAfter(NO_EMOJI, before);
  for (let position = start + 1; position < end; position++) {
    const next = codes[position] ?? 0;
    const after = kinds[next] ?? OTHER;
    if (!joins(before, after, conjunct, emoji) && !(code === CR && next === LF)) return position;
    conjunct = conjunctAfter(conjunct, after);
    emoji = emojiAfter(emoji, after);
    before = after;
    code = next;
  }
  return end;
}

function joins(before: number, after: number, conjunct: number, emoji: number): boolean {
  const left = before & KIND;
  const right = after & KIND;
  if (left === CONTROL || right === CONTROL) return false;
  if (right === EXTEND || right === JOINER || right === SPACING_MARK || left === PREPEND) return true;
  if (right === CONSONANT) return conjunct === LINKED;
  if (right === PICTOGRAPH) return emoji === JOINED && left === JOINER;
  if (left === L) return right === L || right === V || right === LV || right === LVT;
  if (left === LV || left === V) return right === V || right === T;
  return (left === LVT || left === T) && right === T;
}

const NO_CONJUNCT = 0;
const UNLINKED = 1;
const LINKED = 2;

/** The state of "consonant, virama" after one more character. */
function conjunctAfter(state: number, kind: number): number {
  if (kind === CONSONANT) return UNLINKED;
  if ((kind & LINKER) !== 0) return state === NO_CONJUNCT ? NO_CONJUNCT : LINKED;
  return (kind & CONJOINING) !== 0 ? state : NO_CONJUNCT;
}

const NO_EMOJI = 0;
const EXTENDED = 1;
const JOINED = 2;

/** The state of "pictograph, joiner" after one more character. */
function emojiAfter(state: number, kind: number): number {
  if (kind === PICTOGRAPH) return EXTENDED;
  if (state !== EXTENDED) return NO_EMOJI;
  if ((kind & KIND) === EXTEND) return EXTENDED;
  return (kind & KIND) === JOINER ? JOINED : NO_EMOJI;
}
