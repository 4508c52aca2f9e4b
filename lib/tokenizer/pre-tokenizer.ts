// The pre-tokenizers of tokenizer.json, which divide a text into words: WhitespaceSplit and Metaspace, as in Rust.
import { SLICED_UNITS } from "../util/slices.js";
import type { NormalizedString } from "./normalized-string.js";
import type { Rewriter, Splits, Splitter, Step } from "./pre-tokenized-string.js";
import {
  corruptSetting,
  type JsonObject,
  type PartReaders,
  readCharacter,
  readFlag,
  readPart,
  readParts,
} from "./tokenizer-json.js";
import { whiteSpaceTable } from "./unicode/code-points.js";

/** Which words Metaspace prepends its replacement to: every one, the one at offset 0 of the text, or none. */
type PrependScheme = "always" | "first" | "never";

interface Metaspace {
  /** The code point that stands for a space. */
  readonly replacement: number;
  readonly prependScheme: PrependScheme;
  readonly split: boolean;
}

const PREPEND_SCHEMES: readonly PrependScheme[] = ["always", "first", "never"];
const SPACE = 32;

const readers: PartReaders<readonly Step[]> = {
  WhitespaceSplit: () => [whitespaceSplit],
  Metaspace: (settings, name) => [metaspace(readMetaspace(settings, name))],
  Sequence: (settings, name) => readParts(settings.pretokenizers, `${name}.pretokenizers`, readers).flat(),
};

/** The steps of the pre-tokenizer, in order. Throws ERR_MODEL_CORRUPT. */
export function readPreTokenizer(settings: unknown, name: string): readonly Step[] {
  return settings === null || settings === undefined ? [] : readPart(settings, name, readers);
}

/** The settings of a Metaspace, pre-tokenizer or decoder; those of older versions (`add_prefix_space`) included. */
export function readMetaspace(settings: JsonObject, name: string): Metaspace {
  const { prepend_scheme: scheme = "always", add_prefix_space: prefix } = settings;
  const prependScheme = PREPEND_SCHEMES.find((candidate) => candidate === scheme);
  if (prependScheme === undefined) {
    throw corruptSetting(`one of ${PREPEND_SCHEMES.join(", ")}`, `${name}.prepend_scheme`, scheme);
  }
  if (prefix !== null && !readFlag(prefix, `${name}.add_prefix_space`, true) && prependScheme !== "never") {
    throw corruptSetting("true, as the scheme isn't never,", `${name}.add_prefix_space`, prefix);
  }
  return {
    replacement: readCharacter(settings.replacement, `${name}.replacement`),
    prependScheme,
    split: settings.split === null || readFlag(settings.split, `${name}.split`, true),
  };
}

const whitespaceSplit: Splitter = {
  kind: "split",
  *split({ codes }, from, to) {
    const isWhite = whiteSpaceTable();
    let work = 0;
    for (let split = 0; split < from.count; split++) {
      if (to.keepToken(from, split)) continue;
      const end = from.end(split);
      let start = from.start(split);
      for (let index = start; index < end; ) {
        const limit = Math.min(end, index + SLICED_UNITS);
        const next = whiteSpaceIn(codes, index, limit, isWhite);
        work += next - index + 1;
        index = next;
        if (next < limit) {
          to.add(start, next);
          index++;
          start = index;
        }
        if (work < SLICED_UNITS) continue;
        work = 0;
        yield;
      }
      to.add(start, end);
    }
  },
};

/** The index of the first white space in `codes[from, to)`, or `to`. */
function whiteSpaceIn(codes: Int32Array, from: number, to: number, isWhite: Uint8Array): number {
  let index = from;
  while (index < to && isWhite[codes[index] ?? 0] !== 1) index++;
  return index;
}

/** Replaces spaces, prepends a replacement where the scheme asks for one, and begins a split at each. */
function metaspace({ replacement, prependScheme, split: divides }: Metaspace): Rewriter {
  /** Rewrites `source[from, to)` as a part of the split that begins at `begin`. Returns where the last split begins. */
  const rewritePart = (
    { codes, starts, ends }: NormalizedString,
    from: number,
    to: number,
    target: NormalizedString,
    splits: Splits,
    begin: number,
  ): number => {
    let start = begin;
    for (let index = from; index < to; index++) {
      const code = codes[index] ?? 0;
      const isSpace = code === SPACE || code === replacement;
      if (isSpace && divides) {
        splits.add(start, target.length);
        start = target.length;
      }
      target.push(isSpace ? replacement : code, starts[index] ?? 0, ends[index] ?? 0);
    }
    return start;
  };
  return {
    kind: "rewrite",
    *rewrite(source, from, target, to) {
      const { codes, starts, ends } = source;
      let work = 0;
      for (let split = 0; split < from.count; split++) {
        if (to.moveToken(source, from, split, target)) continue;
        const begin = from.start(split);
        const end = from.end(split);
        let start = target.length;
        const first = codes[begin] ?? 0;
        const isPrefixed = first === SPACE || first === replacement;
        const isWanted = prependScheme === "always" || (prependScheme === "first" && starts[begin] === 0);
        if (isWanted && !isPrefixed) target.push(replacement, starts[begin] ?? 0, ends[begin] ?? 0);
        for (let index = begin; index < end; index += SLICED_UNITS) {
          const limit = Math.min(end, index + SLICED_UNITS);
          start = rewritePart(source, index, limit, target, to, start);
          work += limit - index;
          if (work < SLICED_UNITS) continue;
          work = 0;
          yield;
        }
        to.add(start, target.length);
      }
    },
  };
}
