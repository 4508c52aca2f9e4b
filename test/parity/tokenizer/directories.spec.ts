import assert from "node:assert/strict";
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { T5Tokenizer } from "torch-t5";
import { withDirectory } from "../../support/directory.js";
import type { Extent } from "./corpora/index.js";
import { assertNone, compareCorpora, compareDecoding } from "./parity.js";
import { sharedRust } from "./rust.js";
import { openTokenizer, realT5 } from "./subjects.js";

const SEED = 15;
const ROWS = 200;
const RANDOM_DIRECTORIES = Number(env.TORCH_T5_DIRECTORIES ?? 20);
const SOME: Extent = { codePointStep: 997, markStep: 8009, randomTexts: 40, messageStep: 1997 };
/** Strings of one code point hardly depend on the tokens, those of special tokens do. */
const TOKENS: Extent = { codePointStep: 20_011, markStep: 40_009, randomTexts: 40, messageStep: 5003 };

/** Kinds of directories, in reference/directories.py. */
const DIRECTORIES = [
  "spiece.model alone",
  "spiece.model of T5's own class",
  "spiece.model that folds case",
  "spiece.model without a charsmap",
  "spiece.model with a custom charsmap",
  "spiece.model with bytes and other flags",
  "spiece.model of words",
  "spiece.model of characters",
  "spiece.model with symbols of a user",
  "spiece.model with other names",
  "spiece.model without a padding token",
  "spiece.model with sentinels",
  "spiece.model of mT5",
  "spiece.model with files of older versions",
  "spiece.model with added_tokens_decoder",
  "spiece.model with named tokens",
  "spiece.model with listed tokens",
  "spiece.model that ignores special tokens",
  "saved by transformers",
  "tokenizer.json that T5Tokenizer rebuilds",
  "tokenizer.json of another class",
  "tokenizer.json of a former class",
  "tokenizer.json of UMT5",
  "tokenizer.json without a class",
  "ByT5 by config.json",
  "ByT5 as on the hub",
  "ByT5 with added tokens",
  "ByT5 with other names",
  "ByT5 that ignores special tokens",
];

describe("a directory's tokenizer gives the ids, offsets and texts of transformers' AutoTokenizer", () => {
  let messages: readonly string[];

  before(async () => {
    ({ messages } = await sharedRust().catalogues());
  });

  for (const name of DIRECTORIES) {
    it(name, async () => {
      await compare(name, await sharedRust().make(name), SOME, messages);
    });
  }

  if (existsSync(realT5)) {
    it("T5's own spiece.model, without its tokenizer.json", () =>
      withDirectory(async (directory) => {
        cpSync(join(realT5, "spiece.model"), join(directory, "spiece.model"));
        writeFileSync(join(directory, "config.json"), '{ "model_type": "t5" }');
        await compare("T5", directory, SOME, messages);
      }));
  }

  it("random directories, with random tokens in every file that states some", async () => {
    for (let seed = SEED; seed < SEED + RANDOM_DIRECTORIES; seed++) {
      await compare(`directory ${seed}`, await sharedRust().directory(seed), TOKENS, messages);
    }
  });
});

async function compare(name: string, directory: string, extent: Extent, messages: readonly string[]): Promise<void> {
  const rust = sharedRust();
  const { ids, pad, eos } = await rust.openAuto(name, directory);
  const tokenizer = await T5Tokenizer.fromPretrained(directory);
  // torch-t5 takes <pad> and </s> where no file names such a token.
  assert.equal(tokenizer.padTokenId, pad ?? tokenizer.tokenToId("<pad>"));
  assert.equal(tokenizer.eosTokenId, eos ?? tokenizer.tokenToId("</s>"));
  const pair = { name, rust, subject: await openTokenizer(directory), idCount: ids };
  assertNone(pair, await compareCorpora(pair, extent, SEED, messages));
  assertNone(pair, await compareDecoding(pair, ROWS, SEED));
}
