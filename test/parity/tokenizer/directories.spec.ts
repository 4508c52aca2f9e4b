import assert from "node:assert/strict";
import { T5Tokenizer } from "torch-t5";
import { assertNone, compareCorpora, compareDecoding, FEW } from "./parity.js";
import { sharedRust } from "./rust.js";
import { openTokenizer } from "./subjects.js";

const SEED = 15;
const ROWS = 200;

/** Kinds of directories, in reference/directories.py. */
const DIRECTORIES = [
  "spiece.model alone",
  "spiece.model of T5's own class",
  "spiece.model that folds case",
  "spiece.model without a charsmap",
  "spiece.model with a custom charsmap",
  "spiece.model with bytes and other flags",
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
      const rust = sharedRust();
      const directory = await rust.make(name);
      const { ids, pad, eos } = await rust.openAuto(name, directory);
      const tokenizer = await T5Tokenizer.fromPretrained(directory);
      // torch-t5 takes <pad> and </s> where no file names such a token.
      assert.equal(tokenizer.padTokenId, pad ?? tokenizer.tokenToId("<pad>"));
      assert.equal(tokenizer.eosTokenId, eos ?? tokenizer.tokenToId("</s>"));
      const pair = { name, rust, subject: await openTokenizer(directory), idCount: ids };
      assertNone(pair, await compareCorpora(pair, FEW, SEED, messages));
      assertNone(pair, await compareDecoding(pair, ROWS, SEED));
    });
  }
});
