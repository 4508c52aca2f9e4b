import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { T5Tokenizer } from "torch-t5";
import { withDirectory } from "../support/directory.js";

type Json = Readonly<Record<string, unknown>>;

const FLAGS = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
const METASPACE = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
const ENDING = {
  type: "TemplateProcessing",
  single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }],
  pair: [],
  special_tokens: { "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] } },
};
const SPECIAL = ["<pad>", "</s>", "<unk>"];

const model = (vocab: readonly (readonly [string, number])[], settings: Json = {}) => ({
  type: "Unigram",
  unk_id: 2,
  vocab: [...SPECIAL.map((token) => [token, 0]), ...vocab],
  ...settings,
});

/** A tokenizer.json with a piece for each letter and for the word mark. */
function settingsOf(changes: Json = {}): Json {
  return {
    version: "1.0",
    added_tokens: SPECIAL.map((content, id) => ({ id, content, ...FLAGS, special: true })),
    normalizer: null,
    pre_tokenizer: METASPACE,
    post_processor: ENDING,
    decoder: METASPACE,
    model: model([..."▁abcdefghijklmnopqrstuvwxyzé"].map((letter) => [letter, -1])),
    ...changes,
  };
}

function make(changes?: Json, config: Json = {}): Promise<T5Tokenizer> {
  return withDirectory((directory) => {
    writeFileSync(join(directory, "tokenizer.json"), JSON.stringify(settingsOf(changes)));
    writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify(config));
    return T5Tokenizer.fromPretrained(directory);
  });
}

function tokensOf(tokenizer: T5Tokenizer, text: string): readonly (string | undefined)[] {
  return Array.from(tokenizer.encode(text).ids, (id) => tokenizer.idToToken(id));
}

/** The parts of a text that its ids stand for. */
function partsOf(tokenizer: T5Tokenizer, text: string): readonly string[] {
  const { ids, offsets } = tokenizer.encode(text);
  return Array.from(ids, (_, index) => text.slice(offsets[2 * index], offsets[2 * index + 1]));
}

const added = (content: string, flags: Json) => [{ id: 100, content, ...FLAGS, ...flags }];

describe("the settings of tokenizer.json", () => {
  it("offsets count UTF-16 units of the text before normalization", async () => {
    const tokenizer = await make({
      normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "Lowercase" }] },
    });
    assert.deepEqual(tokensOf(tokenizer, "🙂 E\u0301A"), ["▁", "<unk>", "▁", "é", "a", "</s>"]);
    assert.deepEqual(partsOf(tokenizer, "🙂 E\u0301A"), ["🙂", "🙂", " ", "E", "A", ""]);
  });

  it("lstrip and rstrip include white space in an added token", async () => {
    const of = async (flags: Json) => {
      const tokenizer = await make({ added_tokens: added("<x>", flags) });
      return [tokensOf(tokenizer, "a <x> b<x>"), partsOf(tokenizer, "a <x> b<x>")];
    };
    const tokens = ["▁", "a", "<x>", "▁", "b", "<x>", "</s>"];
    assert.deepEqual(await of({ lstrip: true }), [tokens, ["a", "a", " <x>", " ", "b", "<x>", ""]]);
    const whole = ["▁", "a", "▁", "<x>", "▁", "b", "<x>", "</s>"];
    assert.deepEqual((await of({ rstrip: true }))[1], ["a", "a", " ", "<x> ", "b", "b", "<x>", ""]);
    assert.deepEqual(await of({}), [whole, ["a", "a", " ", "<x>", " ", "b", "<x>", ""]]);
  });

  it("single_word matches only without a letter next to it", async () => {
    const tokenizer = await make({ added_tokens: added("ab", { single_word: true }) });
    assert.deepEqual(tokensOf(tokenizer, "ab, abc"), ["ab", "▁", "<unk>", "▁", "a", "b", "c", "</s>"]);
  });

  it("normalized tokens are found in normalized text, and decode to it", async () => {
    const tokenizer = await make({
      normalizer: { type: "Lowercase" },
      added_tokens: added("TOKEN", { normalized: true }),
    });
    const { ids } = tokenizer.encode("a Token");
    assert.deepEqual(
      Array.from(ids, (id) => tokenizer.idToToken(id)),
      ["▁", "a", "▁", "token", "</s>"],
    );
    assert.equal(tokenizer.tokenToId("TOKEN"), ids[3]);
  });

  it("special tokens are ordinary text with split_special_tokens", async () => {
    const tokenizer = await make({}, { split_special_tokens: true });
    assert.deepEqual(tokensOf(tokenizer, "</s>"), ["▁", "</s>", "</s>"], "the vocabulary has it as a piece");
    assert.deepEqual(partsOf(tokenizer, "</s>"), ["<", "</s>", ""]);
  });

  it("byte_fallback encodes unknown text as bytes, if the vocabulary has all of them", async () => {
    const bytes = ["<0xC3>", "<0xA4>", "<0xE2>"].map((token) => [token, -1] as const);
    const tokenizer = await make({ model: model([["▁", -1], ...bytes], { byte_fallback: true }) });
    assert.deepEqual(tokensOf(tokenizer, "ä"), ["▁", "<0xC3>", "<0xA4>", "</s>"]);
    assert.deepEqual(tokensOf(tokenizer, "€"), ["▁", "<unk>", "</s>"]);
    assert.deepEqual(partsOf(tokenizer, "ä"), ["ä", "ä", "ä", ""]);
  });

  it("scores are parsed as transformers does: by Python for T5's own class, by Rust for others", async () => {
    // Rust's numbers differ in the last bit, so the two orders of these pieces don't tie.
    const vocab = [
      ["▁", -5.708003044128418],
      ["aa", -7.8330912590026855],
      ["aaa", -9.043609619140625],
    ] as const;
    const of = async (tokenizer_class: string) =>
      tokensOf(await make({ model: model(vocab) }, { tokenizer_class }), "aaaaa");
    assert.deepEqual(await of("T5Tokenizer"), ["▁", "aa", "aaa", "</s>"]);
    assert.deepEqual(await of("PreTrainedTokenizerFast"), ["▁", "aaa", "aa", "</s>"]);
  });

  it("a template adds ids before and after a text, and truncation keeps them", async () => {
    const [text, end] = ENDING.single;
    const tokenizer = await make({ post_processor: { ...ENDING, single: [end, text, end] } });
    assert.deepEqual(tokensOf(tokenizer, "a"), ["</s>", "▁", "a", "</s>"]);
    assert.equal(tokenizer.countTokens("a"), 4);
    const { ids, offsets } = tokenizer.encode("abc", { maxLength: 3 });
    assert.deepEqual(
      [[...ids], [...offsets]],
      [
        [1, 3, 1],
        [0, 0, 0, 1, 0, 0],
      ],
    );
    assert.deepEqual(tokensOf(await make({ post_processor: null }), "a"), ["▁", "a"]);
  });

  it("encodeBatch and encodeBatchAsync pad to a multiple", async () => {
    const tokenizer = await make();
    const options = { padToMultipleOf: 8, maxLength: 20 };
    const batch = tokenizer.encodeBatch(["abc", ""], options);
    assert.deepEqual(batch.shape, [2, 8]);
    assert.deepEqual([...batch.attentionMask], [1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual(await tokenizer.encodeBatchAsync(["abc", ""], options), batch);
    await assert.rejects(tokenizer.encodeBatchAsync([5 as never]), /a string for texts\[0\] but received 5/);
  });

  it("other tasks run during encodeBatchAsync", async () => {
    const tokenizer = await make();
    let turns = 0;
    const count = () => {
      turns++;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    await tokenizer.encodeBatchAsync(Array(200).fill("letters and letters ".repeat(500)));
    clearImmediate(timer);
    assert.ok(turns > 1);
  });

  const refused: readonly (readonly [name: string, changes: Json, message: RegExp])[] = [
    ["a model", { model: { type: "BPE" } }, /Unigram for model.type in tokenizer.json but received "BPE"/],
    [
      "a normalizer",
      { normalizer: { type: "BertNormalizer" } },
      /one of .*NFKC.* for normalizer.type .*"BertNormalizer"/,
    ],
    [
      "a normalizer in a sequence",
      { normalizer: { type: "Sequence", normalizers: [{ type: "NFC" }, { type: "ByteLevel" }] } },
      /for normalizer.normalizers\[1\].type in tokenizer.json but received "ByteLevel"/,
    ],
    [
      "a regular expression",
      { normalizer: { type: "Replace", pattern: { Regex: "(a|b)+" }, content: "" } },
      /a regular expression of characters, sets and counts for normalizer.pattern.Regex .*"\(a\|b\)\+"/,
    ],
    [
      "a pre-tokenizer",
      { pre_tokenizer: { type: "Digits" } },
      /for pre_tokenizer.type in tokenizer.json but received "Digits"/,
    ],
    [
      "a post-processor",
      { post_processor: { type: "BertProcessing" } },
      /for post_processor.type .* received "BertProcessing"/,
    ],
    ["a decoder", { decoder: { type: "WordPiece" } }, /for decoder.type in tokenizer.json but received "WordPiece"/],
    [
      "a charsmap",
      { normalizer: { type: "Precompiled", precompiled_charsmap: "" } },
      /a trie and its texts for normalizer/,
    ],
    [
      "a contradictory Metaspace",
      { pre_tokenizer: { ...METASPACE, add_prefix_space: false } },
      /true, as the scheme isn't never, for pre_tokenizer.add_prefix_space .* received false/,
    ],
    ["an added token", { added_tokens: [{ content: "<x>" }] }, /a boolean for added_tokens\[0\].single_word/],
    ["a vocabulary", { model: model([["a", "b" as never]]) }, /a piece and its score for model.vocab\[3\]/],
  ];
  for (const [name, changes, message] of refused) {
    it(`refuses ${name} that it doesn't support, by name`, () =>
      assert.rejects(make(changes), { code: "ERR_MODEL_CORRUPT", message }));
  }

  it("refuses an unknown character if there is no unknown token", async () => {
    const tokenizer = await make({ model: model([["▁", -1]], { unk_id: null }) });
    assert.throws(() => tokenizer.encode("a"), {
      code: "ERR_INVALID_ARGUMENT",
      message: /a text that the tokenizer can take/,
    });
    assert.deepEqual(tokensOf(tokenizer, "▁"), ["▁", "</s>"], "the next text is encoded");
  });
});
