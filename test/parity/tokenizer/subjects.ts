// The tokenizers under test: T5's own where it is at hand, the embedded model's, and those that the recipes make.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { demoModel } from "torch-t5";
import type { Pair } from "./parity.js";
import type { RustTokenizers } from "./rust.js";
import { openTokenizer } from "./subject.js";

/** A tokenizer by its name, and how to come by its directory. */
export interface Case {
  readonly name: string;
  directory(rust: RustTokenizers): Promise<string>;
}

const realT5 = fileURLToPath(new URL("../../../../shared/t5-tokenizer", import.meta.url));

const found: readonly Case[] = [
  ...(existsSync(realT5) ? [{ name: "T5", directory: async () => realT5 }] : []),
  { name: "the embedded model", directory: async () => demoModel },
];

/** A tokenizer of reference/recipes.py, which tells what each is. */
export function made(recipe: string): Case {
  return { name: recipe, directory: (rust) => rust.make(recipe) };
}

/** Those that take a moment to make and differ most. */
export const FEW_CASES: readonly Case[] = [...found, ...["custom", "older", "generic", "byt5"].map(made)];

/** The recipes that are no more than transformers' conversion of a spiece.model. */
export const CONVERTED = ["nmt_nfkc", "nfkc_cf", "identity", "custom", "mt5"];

export const ALL_CASES: readonly Case[] = [
  ...found,
  ...[...CONVERTED, "generic", "byte-pieces", "older", "first", "never", "byt5"].map(made),
];

/** Opens a tokenizer here and in the reference. */
export async function openPair(rust: RustTokenizers, { name, directory }: Case): Promise<Pair> {
  const path = await directory(rust);
  return { name, rust, subject: await openTokenizer(path), idCount: await rust.open(name, path) };
}
