// The tokenizers under test, as one small interface: T5's own if its files are there, the embedded model's, and those that
// the recipes make.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Tokenizer } from "@huggingface/tokenizers";
import { demoModel, T5Tokenizer } from "torch-t5";
import type { RustTokenizers } from "./rust.js";

interface Encoded {
  readonly ids: ArrayLike<number>;
  /** Start and end of each id in UTF-16 units; undefined if the tokenizer can't give them. */
  readonly offsets?: ArrayLike<number> | undefined;
}

/** A tokenizer under test. */
export interface Subject {
  encode(text: string): Encoded;
  decode(ids: readonly number[], skipSpecialTokens: boolean): string;
  /** The decoded text in pieces, one for each id and one at the end, if the tokenizer can stream. */
  stream?(ids: readonly number[], skipSpecialTokens: boolean): readonly string[];
}

/** A tokenizer under test and its reference. */
export interface Pair {
  readonly name: string;
  readonly rust: RustTokenizers;
  readonly subject: Subject;
  /** The reference decodes ids from 0 up to, but not including, this one. */
  readonly idCount: number;
}

/** The name of a tokenizer, and how to get its directory. */
export interface Case {
  readonly name: string;
  directory(rust: RustTokenizers): Promise<string>;
}

const SETTINGS = "tokenizer_config.json";

/** The published T5 vocabulary, where it is beside the checkout. */
export const realT5 = fileURLToPath(new URL("../../../../shared/t5-tokenizer", import.meta.url));

const existing: readonly Case[] = [
  ...(existsSync(realT5) ? [{ name: "T5", directory: async () => realT5 }] : []),
  { name: "the embedded model", directory: async () => demoModel },
];

/** Recipes whose tokenizer is transformers' conversion of a spiece.model, unchanged. */
export const CONVERTED = ["nmt_nfkc", "nfkc_cf", "identity", "custom", "mt5"];

/** Tokenizers that are quick to make and have very different pipelines. */
export const FEW_CASES: readonly Case[] = [...existing, ...["custom", "older", "generic", "byt5"].map(recipeCase)];

export const ALL_CASES: readonly Case[] = [
  ...existing,
  ...[...CONVERTED, "generic", "byte-pieces", "older", "first", "never", "byt5"].map(recipeCase),
];

/** Opens a tokenizer in torch-t5 and in the reference. */
export async function openPair(rust: RustTokenizers, { name, directory }: Case): Promise<Pair> {
  const path = await directory(rust);
  return { name, rust, subject: await openTokenizer(path), idCount: await rust.open(name, path) };
}

/** The T5Tokenizer of a directory. */
export async function openTokenizer(directory: string): Promise<Subject> {
  const tokenizer = await T5Tokenizer.fromPretrained(directory);
  return {
    encode: (text) => tokenizer.encode(text),
    decode: (ids, skipSpecialTokens) => tokenizer.decode(ids, { skipSpecialTokens }),
    stream(ids, skipSpecialTokens) {
      const stream = tokenizer.decodeStream({ skipSpecialTokens });
      return [...ids.map((id) => stream.push(id)), stream.end()];
    },
  };
}

/** The tokenizer of `@huggingface/tokenizers` for a directory, which gives no offsets. */
export function openUpstream(directory: string): Subject {
  const read = (name: string) => JSON.parse(readFileSync(join(directory, name), "utf8"));
  const settings = existsSync(join(directory, SETTINGS)) ? read(SETTINGS) : {};
  const clean_up_tokenization_spaces = settings.clean_up_tokenization_spaces === true;
  const tokenizer = new Tokenizer(read("tokenizer.json"), settings);
  return {
    encode: (text) => ({ ids: tokenizer.encode(text).ids }),
    decode: (ids, skip_special_tokens) =>
      // It throws for an empty array.
      ids.length === 0 ? "" : tokenizer.decode([...ids], { skip_special_tokens, clean_up_tokenization_spaces }),
  };
}

/** The tokenizer of a recipe in reference/recipes.py, which describes each. */
function recipeCase(recipe: string): Case {
  return { name: recipe, directory: (rust) => rust.make(recipe) };
}
