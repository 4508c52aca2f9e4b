// The pre-tokenizers of tokenizer.json, which divide a text into words: WhitespaceSplit and Metaspace, as in Rust.
import type { Rewriter, Splitter, Step } from "./pre-tokenized-string.js";
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
  split({ codes }, from, to, splits) {
    const isWhite = whiteSpaceTable();
    let start = from;
    for (let index = from; index < to; index++) {
      if (isWhite[codes[index] ?? 0] !== 1) continue;
      splits.add(start, index);
      start = index + 1;
    }
    splits.add(start, to);
  },
};

/** Replaces spaces, prepends a replacement where the scheme asks for one, and begins a split at each. */
function metaspace({ replacement, prependScheme, split }: Metaspace): Rewriter {
  return {
    kind: "rewrite",
    rewrite({ codes, starts, ends }, from, to, target, splits) {
      let start = target.length;
      const first = codes[from] ?? 0;
      const isPrefixed = first === SPACE || first === replacement;
      const isWanted = prependScheme === "always" || (prependScheme === "first" && starts[from] === 0);
      if (isWanted && !isPrefixed) target.push(replacement, starts[from] ?? 0, ends[from] ?? 0);
      for (let index = from; index < to; index++) {
        const code = codes[index] ?? 0;
        const isSpace = code === SPACE || code === replacement;
        if (isSpace && split) {
          splits.add(start, target.length);
          start = target.length;
        }
        target.push(isSpace ? replacement : code, starts[index] ?? 0, ends[index] ?? 0);
      }
      splits.add(start, target.length);
    },
  };
}
