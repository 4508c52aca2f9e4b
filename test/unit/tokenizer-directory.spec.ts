import assert from "node:assert/strict";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demoModel, T5Tokenizer } from "torch-t5";
import { withDirectory } from "../support/directory.js";

type Json = Readonly<Record<string, unknown>>;

const T5_CLASS = { tokenizer_class: "T5Tokenizer" };
const BYTES = { tokenizer_class: "ByT5Tokenizer" };
const LETTERS = "▁abcdeABCDE";
const VOCABULARY = ["<pad>", "</s>", "<unk>", ...LETTERS].map((piece, id) => [piece, id < 3 ? 0 : -1]);
const FLAGS = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };

/** A tokenizer.json that folds case, which T5's own class doesn't. */
const TOKENIZER = {
  added_tokens: [],
  normalizer: { type: "Lowercase" },
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
  post_processor: null,
  decoder: null,
  model: { type: "Unigram", unk_id: 2, vocab: VOCABULARY },
};

/** The tokenizer of a directory with JSON files, by their names without suffix. */
function open(files: Json): Promise<T5Tokenizer> {
  return withDirectory((directory) => {
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(directory, `${name}.json`), typeof content === "string" ? content : JSON.stringify(content));
    }
    return T5Tokenizer.fromPretrained(directory);
  });
}

function tokensOf(tokenizer: T5Tokenizer, text: string): readonly (string | undefined)[] {
  return Array.from(tokenizer.encode(text).ids, (id) => tokenizer.idToToken(id));
}

describe("the tokenizer of a directory", () => {
  const file = ["▁", "a", "b"];
  const rebuilt = ["▁", "A", "b", "</s>"];
  const classes: readonly (readonly [what: string, files: Json, tokens: readonly string[]])[] = [
    ["no class", {}, file],
    ["T5's own class", { tokenizer_config: T5_CLASS }, rebuilt],
    ["the class of its model_type", { config: { model_type: "mt5" } }, rebuilt],
    ["a class in config.json", { config: { model_type: "t5", ...T5_CLASS } }, rebuilt],
    ["UMT5, whose class is another one", { config: { model_type: "umt5" }, tokenizer_config: T5_CLASS }, file],
    [
      "a class that tokenizer_config.json replaces",
      {
        config: { model_type: "t5", ...T5_CLASS },
        tokenizer_config: { tokenizer_class: "PreTrainedTokenizerFast" },
      },
      file,
    ],
    [
      "mT5's class of transformers 4",
      {
        config: { model_type: "mt5" },
        tokenizer_config: { tokenizer_class: "MT5TokenizerFast" },
      },
      file,
    ],
    [
      "an export, whose file is what was asked for",
      { manifest: { formatVersion: 1 }, tokenizer_config: T5_CLASS },
      file,
    ],
    [
      "an export of any class",
      {
        manifest: { formatVersion: 1 },
        tokenizer_config: { tokenizer_class: "AlbertTokenizer" },
      },
      file,
    ],
    ["another manifest.json", { manifest: { name: "a web page" }, tokenizer_config: T5_CLASS }, rebuilt],
    ["a manifest.json that isn't JSON", { manifest: "#", tokenizer_config: T5_CLASS }, rebuilt],
  ];
  for (const [what, files, tokens] of classes) {
    it(`takes tokenizer.json as it is, or only its vocabulary, as AutoTokenizer does: ${what}`, async () => {
      assert.deepEqual(tokensOf(await open({ tokenizer: TOKENIZER, ...files }), "Ab"), tokens);
    });
  }

  it("is none in an export without one, even if config.json names ByT5's", () =>
    assert.rejects(open({ manifest: { formatVersion: 1 }, config: { model_type: "t5", ...BYTES } }), {
      code: "ERR_MODEL_NOT_FOUND",
      message: /a tokenizer.json, a spiece.model or ByT5's tokenizer_config.json for the tokenizer but found none in/,
    }));

  it("has no tokens of files that an export's manifest doesn't list", async () => {
    const files = { tokenizer: TOKENIZER, added_tokens: { "<new>": 13 }, special_tokens_map: { pad_token: "<new>" } };
    const exported = await open({ ...files, manifest: { formatVersion: 1 } });
    assert.deepEqual([exported.tokenToId("<new>"), exported.padTokenId], [undefined, 0]);
    assert.equal((await open(files)).tokenToId("<new>"), VOCABULARY.length);
  });

  it("is the same in an export and in a copy of its tokenizer's files", () =>
    withDirectory(async (directory) => {
      for (const name of ["tokenizer.json", "tokenizer_config.json", "config.json"]) {
        cpSync(join(demoModel, name), join(directory, name));
      }
      const [copied, exported] = await Promise.all(
        [directory, demoModel].map((path) => T5Tokenizer.fromPretrained(path)),
      );
      const text = "spell  number:\t48213 <extra_id_7>é</s> x";
      assert.deepEqual(copied?.encode(text), exported?.encode(text));
    }));

  it("adds many tokens in linear time", async () => {
    const count = 100_000;
    const added = Object.fromEntries(Array.from({ length: count }, (_, index) => [`<new_${index}>`, 1000 + index]));
    const tokenizer = await open({ tokenizer: TOKENIZER, tokenizer_config: T5_CLASS, added_tokens: added });
    assert.equal(tokenizer.tokenToId(`<new_${count - 1}>`), VOCABULARY.length + count - 1);
  });

  const decoder = (entry: unknown, id = "7") => ({
    tokenizer_config: { ...T5_CLASS, added_tokens_decoder: { [id]: entry } },
  });
  const config = (settings: Json) => ({ tokenizer_config: { ...T5_CLASS, ...settings } });
  const refused: readonly (readonly [what: string, files: Json, message: RegExp])[] = [
    [
      "a class that builds a pipeline of its own",
      { tokenizer_config: { tokenizer_class: "AlbertTokenizer" } },
      /one of T5Tokenizer, .* \(`torch-t5 export` reads others\) for tokenizer_class in tokenizer_config.json .*"AlbertTo/,
    ],
    [
      "such a class in config.json",
      { config: { model_type: "t5", tokenizer_class: "XLNetTokenizer" } },
      /for tokenizer_class in config.json but received "XLNetTokenizer"/,
    ],
    [
      "a file for another version of transformers",
      config({ fast_tokenizer_files: ["tokenizer.json", "tokenizer.4.json"] }),
      /only tokenizer.json for fast_tokenizer_files in tokenizer_config.json but received an array of length 2/,
    ],
    ["JSON that isn't an object", { special_tokens_map: [] }, /a JSON object for special_tokens_map.json/],
    [
      "added tokens that aren't an object",
      config({ added_tokens_decoder: [] }),
      /an object for added_tokens_decoder in/,
    ],
    [
      "an added token that isn't an object",
      decoder("x"),
      /an object for added_tokens_decoder\[7\] in tokenizer_config/,
    ],
    ["an added token without text", decoder({}), /a string for added_tokens_decoder\[7\].content in tokenizer_config/],
    ["an id that isn't a number", decoder({ content: "x" }, "x"), /an id for added_tokens_decoder in .* received "x"/],
    ["an id over 2^31", decoder({ content: "x" }, "9999999999"), /an id for added_tokens_decoder in .* 9999999999/],
    ["an id in added_tokens.json", { added_tokens: { x: -1 } }, /an id for "x" in added_tokens.json but received -1/],
    [
      "a token without an id",
      { tokenizer: { ...TOKENIZER, added_tokens: [{ content: "x", ...FLAGS }] } },
      /an id for added_tokens\[0\].id in tokenizer.json but received undefined/,
    ],
    [
      "a special token that isn't a token",
      config({ pad_token: 5 }),
      /a token for pad_token in tokenizer_config.json .* 5/,
    ],
    [
      "a special token without text",
      { special_tokens_map: { eos_token: { content: 5 } } },
      /a string for eos_token.content in special_tokens_map.json but received 5/,
    ],
    [
      "special tokens that aren't a list",
      config({ additional_special_tokens: "x" }),
      /an array of tokens for additional_/,
    ],
    [
      "a listed token that isn't one",
      config({ extra_special_tokens: ["x", 5] }),
      /a token for extra_special_tokens\[1\] in/,
    ],
    ["a negative number of sentinels", config({ extra_ids: -1 }), /an integer from 0 to 65536 for extra_ids in .* -1/],
    ["a huge number of sentinels", config({ extra_ids: 2 ** 40 }), /an integer from 0 to 65536 for extra_ids/],
    [
      "another number of sentinels than it lists",
      { ...config({ extra_ids: 7 }), special_tokens_map: { additional_special_tokens: ["<extra_id_0>"] } },
      /7 tokens, as extra_ids states, for the <extra_id_N> of additional_special_tokens but received 1/,
    ],
    [
      "another number of ByT5's sentinels than it lists",
      { tokenizer_config: BYTES, special_tokens_map: { additional_special_tokens: ["<extra_id_0>"] } },
      /125 tokens, as extra_ids states, for the <extra_id_N> of additional_special_tokens but received 1/,
    ],
    [
      "an unknown token elsewhere",
      { ...config({}), tokenizer: { ...TOKENIZER, model: { ...TOKENIZER.model, unk_id: 0 } } },
      /2, which T5Tokenizer takes \(`torch-t5 export` .* for model.unk_id in tokenizer.json but received 0/,
    ],
    [
      "a vocabulary of another type",
      { ...config({}), tokenizer: { ...TOKENIZER, model: { ...TOKENIZER.model, type: "BPE" } } },
      /Unigram for model.type in tokenizer.json but received "BPE"/,
    ],
    [
      "a single-word token of ByT5",
      { tokenizer_config: { ...BYTES, added_tokens_decoder: { 300: { content: "x", single_word: true } } } },
      /false for single_word of "x" but received true/,
    ],
  ];
  for (const [what, files, message] of refused) {
    it(`is refused for ${what}`, () =>
      assert.rejects(open({ tokenizer: TOKENIZER, ...files }), {
        name: "T5Error",
        code: "ERR_MODEL_CORRUPT",
        message,
      }));
  }

  it("is refused for a directory in place of a file", () =>
    withDirectory(async (directory) => {
      cpSync(join(demoModel, "tokenizer.json"), join(directory, "tokenizer.json"));
      mkdirSync(join(directory, "tokenizer_config.json"));
      const message = /a file for tokenizer_config.json but received "a directory"/;
      await assert.rejects(T5Tokenizer.fromPretrained(directory), { code: "ERR_MODEL_CORRUPT", message });
    }));
});
