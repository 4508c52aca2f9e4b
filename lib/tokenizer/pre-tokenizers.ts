// Pre-tokenizers: WhitespaceSplit and Metaspace, as Rust has them.
import type { Rewriter, Splitter, Step } from "./pieces.js";
import { corrupt, type Json, makerOf, readArray, readCharacter, readFlag, readRecord } from "./settings.js";
import { whiteSpaceTable } from "./unicode/characters.js";

export type PrependScheme = "always" | "first" | "never";

export interface Metaspace {
  readonly replacement: number;
  readonly scheme: PrependScheme;
  readonly split: boolean;
}

const SCHEMES: readonly PrependScheme[] = ["always", "first", "never"];
const SPACE = 32;

const makers = new Map<string, (settings: Json, name: string) => readonly Step[]>([
  ["WhitespaceSplit", () => [whitespaceSplit]],
  ["Metaspace", (settings, name) => [metaspace(readMetaspace(settings, name))]],
  ["Sequence", (settings, name) => readArray(settings.pretokenizers, `${name}.pretokenizers`).flatMap(readOne(name))],
]);

/** The steps of tokenizer.json's pre_tokenizer, one after the other. Throws ERR_MODEL_CORRUPT. */
export function readPreTokenizer(settings: unknown, name: string): readonly Step[] {
  if (settings === null || settings === undefined) return [];
  const record = readRecord(settings, name);
  return makerOf(record, name, makers)(record, name);
}

function readOne(name: string) {
  return (settings: unknown, index: number) => readPreTokenizer(readRecord(settings, name), `${name}[${index}]`);
}

/** The settings of a Metaspace, old ones (`add_prefix_space`, `str_rep`) included. */
export function readMetaspace(settings: Json, name: string): Metaspace {
  const { prepend_scheme: scheme = "always", add_prefix_space: prefix } = settings;
  const known = SCHEMES.find((candidate) => candidate === scheme);
  if (known === undefined) throw corrupt(`one of ${SCHEMES.join(", ")}`, `${name}.prepend_scheme`, scheme);
  if (prefix !== null && readFlag(prefix, `${name}.add_prefix_space`, true) === false && known !== "never") {
    throw corrupt("true, as the scheme isn't never,", `${name}.add_prefix_space`, prefix);
  }
  return {
    replacement: readCharacter(settings.replacement, `${name}.replacement`),
    scheme: known,
    split: settings.split === null || readFlag(settings.split, `${name}.split`, true),
  };
}

const whitespaceSplit: Splitter = {
  changes: false,
  split({ codes }, from, to, ranges) {
    const isWhite = whiteSpaceTable();
    let start = from;
    for (let index = from; index < to; index++) {
      if (isWhite[codes[index] ?? 0] !== 1) continue;
      ranges.add(start, index);
      start = index + 1;
    }
    ranges.add(start, to);
  },
};

/** Spaces become the replacement, one is put in front, and each begins a piece. */
function metaspace({ replacement, scheme, split }: Metaspace): Rewriter {
  return {
    changes: true,
    rewrite({ codes, starts, ends }, from, to, target, ranges) {
      let start = target.length;
      const first = codes[from] ?? 0;
      const isPrefixed = first === SPACE || first === replacement;
      const isWanted = scheme === "always" || (scheme === "first" && starts[from] === 0);
      if (isWanted && !isPrefixed) target.push(replacement, starts[from] ?? 0, ends[from] ?? 0);
      for (let index = from; index < to; index++) {
        const code = codes[index] ?? 0;
        const isSpace = code === SPACE || code === replacement;
        if (isSpace && split) {
          ranges.add(start, target.length);
          start = target.length;
        }
        target.push(isSpace ? replacement : code, starts[index] ?? 0, ends[index] ?? 0);
      }
      ranges.add(start, target.length);
    },
  };
}
