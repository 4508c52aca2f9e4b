import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { demoModel, T5Tokenizer } from "torch-t5";
import { withDirectory } from "../support/directory.js";

describe("the tokenizer of the embedded model", () => {
  let tokenizer: T5Tokenizer;
  before(async () => {
    tokenizer = await T5Tokenizer.fromPretrained(demoModel);
  });
  const text = "spell number: 48213";

  it("ends a text with the end-of-sequence id, and an empty text is that id alone", () => {
    const { ids } = tokenizer.encode(text);
    assert.ok(ids instanceof Int32Array && ids.length > 1);
    assert.equal(ids.at(-1), tokenizer.eosTokenId);
    assert.deepEqual([...tokenizer.encode("").ids], [tokenizer.eosTokenId]);
  });

  it("decodes what it encoded", () => {
    const { ids } = tokenizer.encode(text);
    assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), text);
    assert.equal(tokenizer.decode(ids), `${text}</s>`);
    assert.equal(tokenizer.decode([...ids]), `${text}</s>`);
    assert.equal(tokenizer.decode(BigInt64Array.from(ids, BigInt)), `${text}</s>`);
  });

  it("pads a batch on the right, with its mask", () => {
    const { inputIds, attentionMask, shape } = tokenizer.encodeBatch(["", text]);
    const { ids } = tokenizer.encode(text);
    assert.deepEqual(shape, [2, ids.length]);
    const padding = Array(ids.length - 1).fill(tokenizer.padTokenId);
    assert.deepEqual([...inputIds], [tokenizer.eosTokenId, ...padding, ...ids]);
    assert.deepEqual([...attentionMask], [1, ...padding.map(() => 0), ...ids.map(() => 1)]);
  });

  it("truncates long texts and keeps the end-of-sequence id", () => {
    const { ids } = tokenizer.encode(text);
    assert.deepEqual([...tokenizer.encode(text, { maxLength: 4 }).ids], [...ids.slice(0, 3), tokenizer.eosTokenId]);
    assert.deepEqual([...tokenizer.encode(text, { maxLength: 1 }).ids], [tokenizer.eosTokenId]);
    assert.deepEqual([...tokenizer.encode(text, { maxLength: 1000 }).ids], [...ids]);
    assert.deepEqual(tokenizer.encodeBatch([text, ""], { maxLength: 3 }).shape, [2, 3]);
  });

  it("leaves out special tokens with addSpecialTokens: false", async () => {
    const { ids, offsets } = tokenizer.encode(text);
    const without = { addSpecialTokens: false };
    assert.deepEqual(tokenizer.encode(text, without), { ids: ids.slice(0, -1), offsets: offsets.slice(0, -2) });
    assert.deepEqual([...tokenizer.encode("", without).ids], []);
    assert.deepEqual(tokenizer.encode(text, { addSpecialTokens: true }), { ids, offsets });
    assert.deepEqual([...tokenizer.encode(text, { ...without, maxLength: 3 }).ids], [...ids.slice(0, 3)]);
    assert.equal(tokenizer.countTokens(text, without), ids.length - 1);
    const batch = tokenizer.encodeBatch([text, ""], without);
    assert.deepEqual(batch.shape, [2, ids.length - 1]);
    assert.deepEqual([...batch.inputIds], [...ids.slice(0, -1), ...Array(ids.length - 1).fill(tokenizer.padTokenId)]);
    assert.deepEqual(await tokenizer.encodeBatchAsync([text, ""], without), batch);
    assert.deepEqual(tokenizer.encodeBatch([""], without).shape, [1, 0]);
  });

  it("states whether a text was truncated, if it might have been", () => {
    const { length } = tokenizer.encode(text).ids;
    assert.equal(tokenizer.encode(text, { maxLength: length }).truncated, false);
    assert.equal(tokenizer.encode(text, { maxLength: length - 1 }).truncated, true);
    assert.equal(tokenizer.encode(text, { maxLength: length - 1, addSpecialTokens: false }).truncated, false);
    assert.deepEqual(tokenizer.encodeBatch([text, ""], { maxLength: 2 }).truncated, [true, false]);
    assert.equal(tokenizer.modelMaxLength, undefined, "1e30 stands for none");
  });

  it("decodes batches, empty rows, and ids without a token", () => {
    const { ids } = tokenizer.encode("seven");
    assert.deepEqual(tokenizer.batchDecode([ids, [], [2 ** 30]], { skipSpecialTokens: true }), ["seven", "", ""]);
  });

  it("maps ids to tokens", () => {
    assert.equal(tokenizer.idToToken(tokenizer.eosTokenId), "</s>");
    assert.equal(tokenizer.idToToken(tokenizer.padTokenId), "<pad>");
    assert.equal(tokenizer.idToToken(2 ** 30), undefined);
  });

  it("encodes any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (any) => {
        const { ids } = tokenizer.encode(any);
        assert.equal(ids.at(-1), tokenizer.eosTokenId);
        tokenizer.decode(ids);
      }),
    );
    assert.ok(tokenizer.encode("\ud800").ids.length > 0, "half of a surrogate pair");
  });

  it("encodes a megabyte of one word, of spaces, and of combining marks", () => {
    for (const long of ["ab".repeat(2 ** 19), " ".repeat(2 ** 20), `a${"\u0301".repeat(2 ** 20)}`]) {
      assert.equal(tokenizer.encode(long).ids.at(-1), tokenizer.eosTokenId);
    }
  });

  it("gives the range of the text that each id stands for", () => {
    const { ids, offsets } = tokenizer.encode(text);
    const covered = new Set<number>();
    for (let index = 0; index < ids.length; index++) {
      const [start = 0, end = 0] = offsets.subarray(2 * index, 2 * index + 2);
      for (let unit = start; unit < end; unit++) covered.add(unit);
    }
    const letters = [...text.matchAll(/\S/g)].map((match) => match.index);
    assert.deepEqual([...covered], letters);
    assert.deepEqual([...offsets.subarray(-2)], [0, 0]);
  });

  it("maps tokens to ids, and counts the ids of a text", () => {
    assert.equal(tokenizer.tokenToId("</s>"), tokenizer.eosTokenId);
    assert.equal(tokenizer.tokenToId("no such token"), undefined);
    assert.equal(tokenizer.countTokens(text), tokenizer.encode(text).ids.length);
  });

  it("cleans up spaces with cleanUpTokenizationSpaces", () => {
    const { ids } = tokenizer.encode("one , two");
    const options = { skipSpecialTokens: true };
    assert.equal(tokenizer.decode(ids, options), "one , two");
    assert.equal(tokenizer.decode(ids, { ...options, cleanUpTokenizationSpaces: true }), "one, two");
  });

  const wrong: readonly (readonly [promise: string, use: () => unknown, message: RegExp])[] = [
    ["a text that isn't a string", () => tokenizer.encode(5 as never), /a string for text but received 5/],
    ["texts that aren't an array", () => tokenizer.encodeBatch("a" as never), /an array of strings for texts/],
    ["no texts", () => tokenizer.encodeBatch([]), /at least one text for texts/],
    ["one wrong text", () => tokenizer.encodeBatch(["a", null as never]), /for texts\[1\] but received null/],
    ["a length of 0", () => tokenizer.encode("a", { maxLength: 0 }), /for options.maxLength but received 0/],
    ["an unknown option", () => tokenizer.encode("a", { maxlength: 1 } as never), /did you mean maxLength/],
    [
      "truncation to no length",
      () => tokenizer.encode("a", { truncation: true }),
      /no model_max_length, for options.tr/,
    ],
    [
      "a number as truncation",
      () => tokenizer.encode("a", { truncation: 1 as never }),
      /a boolean for options.truncat/,
    ],
    [
      "a maximum length without truncation",
      () => tokenizer.encodeBatch(["a"], { maxLength: 5, truncation: false }),
      /true, as maxLength is given, for options.truncation but received false/,
    ],
    [
      "special tokens that are neither added nor not",
      () => tokenizer.encode("a", { addSpecialTokens: 0 as never }),
      /a boolean for options.addSpecialTokens but received 0/,
    ],
    [
      "an option of encode for countTokens",
      () => tokenizer.countTokens("a", { maxLength: 3 } as never),
      /only addSpecialTokens for the names in options/,
    ],
    ["ids that aren't an array", () => tokenizer.decode(5 as never), /an array of ids for ids but received 5/],
    [
      "a multiple of 0",
      () => tokenizer.encodeBatch(["a"], { padToMultipleOf: 0 }),
      /options.padToMultipleOf but received 0/,
    ],
    ["a token that isn't a string", () => tokenizer.tokenToId(5 as never), /a string for token but received 5/],
    ["a negative id in a stream", () => tokenizer.decodeStream().push(-1), /for ids but received -1/],
    ["a negative id", () => tokenizer.decode([-1]), /for ids\[0\] but received -1/],
    ["an id that isn't an integer", () => tokenizer.decode(["a" as never]), /for ids\[0\] but received "a"/],
    ["rows that aren't an array", () => tokenizer.batchDecode(5 as never), /for rows but received 5/],
    [
      "a row that isn't an array",
      () => tokenizer.batchDecode([[1], 5 as never]),
      /an array of ids for ids but received 5/,
    ],
  ];
  for (const [promise, use, message] of wrong) {
    it(`refuses ${promise}`, () => assert.throws(use, { name: "T5Error", code: "ERR_INVALID_ARGUMENT", message }));
  }
});

describe("the tokenizer of ByT5", () => {
  const byT5 = () =>
    withDirectory((directory) => {
      writeFileSync(join(directory, "tokenizer_config.json"), '{"tokenizer_class": "ByT5Tokenizer"}');
      return T5Tokenizer.fromPretrained(directory);
    });

  it("is found by the class in tokenizer_config.json", async () => {
    await withDirectory(async (directory) => {
      writeFileSync(join(directory, "tokenizer_config.json"), '{"tokenizer_class": "ByT5Tokenizer"}');
      const tokenizer = await T5Tokenizer.fromPretrained(directory);
      assert.deepEqual([...tokenizer.encode("hi").ids], [107, 108, 1]);
      assert.deepEqual([...tokenizer.encodeBatch(["hi", ""]).inputIds], [107, 108, 1, 1, 0, 0]);
    });
  });

  // The ids of Hugging Face's ByT5Tokenizer.
  const texts: readonly (readonly [text: string, ids: readonly number[]])[] = [
    ["", [1]],
    ["é", [198, 172, 1]],
    ["hi</s>", [107, 108, 1]],
    ["a </s> b", [100, 1, 101, 1]],
    ["a \u001c</s>\u0085b", [100, 1, 101, 1]],
    ["a\ufeff</s>b", [100, 242, 190, 194, 1, 101, 1]],
    ["a<extra_id_0>b <pad> c", [100, 259, 101, 0, 102, 1]],
    ["a <extra_id_1> b", [100, 35, 260, 35, 101, 1]],
    ["\ud800", [242, 194, 192, 1]],
  ];
  for (const [text, ids] of texts) {
    it(`encodes ${JSON.stringify(text)} as Hugging Face does`, async () => {
      assert.deepEqual([...(await byT5()).encode(text).ids], ids);
    });
  }

  it("truncates a text that ends with the end-of-sequence id as Hugging Face does", async () => {
    const tokenizer = await byT5();
    assert.deepEqual([...tokenizer.encode("a</s>b", { maxLength: 3 }).ids], [100, 1]);
    assert.deepEqual([...tokenizer.encode("hi</s>", { maxLength: 3 }).ids], [107, 108, 1]);
    assert.deepEqual([...tokenizer.encode("hi", { maxLength: 1 }).ids], [1]);
  });

  it("gives each byte the range of its character", async () => {
    assert.deepEqual([...(await byT5()).encode("a🙂").offsets], [0, 1, 1, 3, 1, 3, 1, 3, 1, 3, 0, 0]);
  });

  it("leaves out special ids with skipSpecialTokens, and always ids without a token", async () => {
    const tokenizer = await byT5();
    const ids = [107, 108, 1, 0, 2, 259, 383, 400];
    assert.equal(tokenizer.decode(ids), "hi</s><pad><unk><extra_id_0><extra_id_124>");
    assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), "hi");
  });

  it("leaves out invalid bytes, as Python's errors=ignore does", async () => {
    const decode = (...bytes: number[]) => tokenizer.decode(bytes.map((byte) => byte + 3));
    const tokenizer = await byT5();
    assert.equal(decode(0xc3, 0x68), "h");
    assert.equal(decode(0xe2, 0x82, 0x61, 0xff), "a");
    assert.equal(decode(0xed, 0xa0, 0x80, 0x61), "a", "half of a surrogate pair");
    assert.equal(decode(0xf0, 0x80, 0x80, 0x80, 0xc0, 0xaf), "", "more bytes than needed");
    assert.equal(decode(0xf4, 0x90, 0x80, 0x80), "", "beyond Unicode");
    assert.equal(decode(0xef, 0xbf, 0xbd), "\ufffd");
  });

  it("maps ids to tokens and tokens to ids", async () => {
    const tokenizer = await byT5();
    assert.deepEqual(
      [100, 259, 400].map((id) => tokenizer.idToToken(id)),
      ["a", "<extra_id_0>", undefined],
    );
    assert.deepEqual(
      ["a", "<extra_id_0>", "zz"].map((token) => tokenizer.tokenToId(token)),
      [100, 259, undefined],
    );
  });

  it("decodes any text that it encoded", async () => {
    const tokenizer = await byT5();
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        fc.pre(!text.includes("<"));
        assert.equal(tokenizer.decode(tokenizer.encode(text).ids, { skipSpecialTokens: true }), text);
      }),
    );
  });

  it("adds no end with addSpecialTokens: false", async () => {
    const tokenizer = await byT5();
    assert.deepEqual([...tokenizer.encode("hi", { addSpecialTokens: false }).ids], [107, 108]);
    assert.deepEqual([...tokenizer.encode("hi", { addSpecialTokens: false, maxLength: 1 }).ids], [107]);
  });

  it("refuses a truncation_side that is no side", () =>
    withDirectory(async (directory) => {
      for (const side of ["up", null, 5]) {
        const config = { tokenizer_class: "ByT5Tokenizer", truncation_side: side };
        writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify(config));
        const message = /"left" or "right" for truncation_side in tokenizer_config.json but received/;
        await assert.rejects(T5Tokenizer.fromPretrained(directory), { code: "ERR_MODEL_CORRUPT", message });
      }
    }));

  it("has no modelMaxLength where the file has none that is a length", () =>
    withDirectory(async (directory) => {
      for (const [length, expected] of [
        [512, 512],
        [1e20, 1e20],
        [1e30, undefined],
        [undefined, undefined],
        [null, undefined],
        [0, undefined],
        [-1, undefined],
        [1.5, undefined],
        ["512", undefined],
      ]) {
        const config = { tokenizer_class: "ByT5Tokenizer", model_max_length: length };
        writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify(config));
        assert.equal((await T5Tokenizer.fromPretrained(directory)).modelMaxLength, expected);
      }
    }));

  it("names tokenizer_config.json for a setting of that file", () =>
    withDirectory(async (directory) => {
      const config = { tokenizer_class: "ByT5Tokenizer", added_tokens_decoder: { 0: { content: "<pad>", lstrip: 1 } } };
      writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify(config));
      const message = "Expected a boolean for added_tokens_decoder[0].lstrip in tokenizer_config.json but received 1";
      await assert.rejects(T5Tokenizer.fromPretrained(directory), { code: "ERR_MODEL_CORRUPT", message });
    }));
});
