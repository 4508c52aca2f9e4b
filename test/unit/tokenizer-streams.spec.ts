import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type DecodeOptions, demoModel, T5Tokenizer } from "torch-t5";
import { byteBackend } from "#lib/tokenizer/byte-backend.js";
import { readTokenSettings } from "#lib/tokenizer/tokenizer-settings.js";
import { unigramBackend } from "#lib/tokenizer/unigram-backend.js";
import { withDirectory } from "../support/directory.js";

const HALF_CHARACTER = /[\ud800-\udbff]$/;

function tokenizerOf(files: Readonly<Record<string, object>>): Promise<T5Tokenizer> {
  return withDirectory((directory) => {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), JSON.stringify(content));
    return T5Tokenizer.fromPretrained(directory);
  });
}

const byT5 = () => tokenizerOf({ "tokenizer_config.json": { tokenizer_class: "ByT5Tokenizer" } });

const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
const pieces = [
  "▁",
  "▁a",
  "b",
  "▁.",
  "▁'",
  "▁s",
  "s",
  "'s",
  "▁n",
  "'",
  "t",
  "n't",
  ".",
  "▁▁",
  "🙂",
  "\ufffd",
  "▁,",
  "ve",
];

interface Kind {
  readonly decoder: object;
  readonly cleanUp: boolean;
}

/** A vocabulary of special tokens, bytes, and pieces that cleaning up changes. */
function files({ decoder, cleanUp }: Kind) {
  const special = ["<pad>", "</s>", "<unk>", "<extra_id_0>"];
  const vocab = [...special, ...bytes, ...pieces].map((token) => [token, -1]);
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  const added = special.map((content, id) => ({ id, content, ...flags }));
  return {
    "tokenizer.json": {
      model: { type: "Unigram", unk_id: 2, vocab },
      decoder,
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
    },
    "tokenizer_config.json": { clean_up_tokenization_spaces: cleanUp },
  };
}

const synthetic = (kind: Kind) => tokenizerOf(files(kind));

const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true };
const byteFallback = {
  type: "Sequence",
  decoders: [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
    { type: "Strip", content: " ", start: 1, stop: 0 },
  ],
};

const joined = (...after: readonly object[]) => ({
  type: "Sequence",
  decoders: [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
    ...after,
  ],
});

const tokenizers: readonly (readonly [name: string, make: () => Promise<T5Tokenizer>, ids: number])[] = [
  ["of the embedded model", () => T5Tokenizer.fromPretrained(demoModel), 410],
  ["of ByT5", byT5, 390],
  ["with a Metaspace decoder", () => synthetic({ decoder: metaspace, cleanUp: false }), 280],
  ["that cleans up", () => synthetic({ decoder: metaspace, cleanUp: true }), 280],
  ["with byte fallback", () => synthetic({ decoder: byteFallback, cleanUp: false }), 280],
  [
    "that strips its end",
    () => synthetic({ decoder: joined({ type: "Strip", content: " ", start: 1, stop: 2 }), cleanUp: false }),
    280,
  ],
  [
    "that replaces across tokens",
    () =>
      synthetic({
        decoder: joined({ type: "Replace", pattern: { Regex: "[.a ]{2,}" }, content: "-" }),
        cleanUp: false,
      }),
    280,
  ],
  ["with byte fallback that cleans up", () => synthetic({ decoder: byteFallback, cleanUp: true }), 280],
];

function stream(
  tokenizer: T5Tokenizer,
  ids: readonly number[],
  options: DecodeOptions = { skipSpecialTokens: true },
): readonly string[] {
  const text = tokenizer.decodeStream(options);
  const streamed = ids.map((id) => text.push(id));
  return [...streamed, text.end()];
}

describe("streamed text", () => {
  for (const [name, make, count] of tokenizers) {
    it(`joins to the text of all ids, and never ends within a character: tokenizer ${name}`, async () => {
      const tokenizer = await make();
      // Half of the ids are among the last ones, where the synthetic vocabularies have their pieces.
      const id = fc.oneof(fc.nat(count), fc.integer({ min: count - 25, max: count }));
      const options = fc.record({ skipSpecialTokens: fc.boolean(), cleanUpTokenizationSpaces: fc.boolean() });
      fc.assert(
        fc.property(fc.array(id, { maxLength: 200, size: "max" }), options, (ids, chosen) => {
          const streamed = stream(tokenizer, ids, chosen);
          assert.equal(streamed.join(""), tokenizer.decode(ids, chosen));
          for (const piece of streamed) assert.doesNotMatch(piece, HALF_CHARACTER);
        }),
        { numRuns: 300 },
      );
    });
  }

  it("comes with its token if no later id can change it", async () => {
    const tokenizer = await T5Tokenizer.fromPretrained(demoModel);
    const { ids } = tokenizer.encode("forty-eight thousand");
    assert.deepEqual(stream(tokenizer, [0, ...ids]), ["", "forty", "-", "eight", " thousand", "", ""]);
  });

  it("waits for the last byte of a character", async () => {
    const tokenizer = await byT5();
    const ids = tokenizer.encode("aé🙂").ids;
    assert.deepEqual(stream(tokenizer, [...ids]), ["a", "", "é", "", "", "", "🙂", "", ""]);
    const fallback = await synthetic({ decoder: byteFallback, cleanUp: false });
    const byte = (value: number) => 4 + value;
    const piece = 4 + 256 + pieces.indexOf("▁a");
    assert.deepEqual(stream(fallback, [piece, byte(0xc3), byte(0xa9), piece]), ["a", "", "", "é a", ""]);
    assert.deepEqual(stream(fallback, [piece, byte(0xc3)]), ["a", "", "\ufffd"]);
  });

  it("keeps the white space after a special token that is left out", async () => {
    const tokenizer = await T5Tokenizer.fromPretrained(demoModel);
    const [seven = 0] = tokenizer.encode("seven").ids;
    assert.deepEqual(stream(tokenizer, [seven, 299, seven]), ["seven", "", " seven", ""]);
  });

  // Decoding all ids again for each new one would take minutes.
  const long: readonly (readonly [what: string, make: () => Promise<T5Tokenizer>, id: (index: number) => number])[] = [
    ["pieces", () => T5Tokenizer.fromPretrained(demoModel), (index) => 3 + (index % 290)],
    ["bytes of long characters", byT5, (index) => 3 + ([0xe6, 0xbc, 0xa2][index % 3] ?? 0)],
    ["invalid bytes", byT5, () => 3 + 0xff],
    [
      "unknown characters",
      () => synthetic({ decoder: metaspace, cleanUp: true }),
      () => 4 + 256 + pieces.indexOf("\ufffd"),
    ],
    [
      "text that cleaning up may change",
      () => synthetic({ decoder: metaspace, cleanUp: true }),
      () => 4 + 256 + pieces.indexOf("▁s"),
    ],
  ];
  for (const [what, make, id] of long) {
    it(`takes linear time for many ids: ${what}`, async () => {
      const tokenizer = await make();
      const ids = Array.from({ length: 60_000 }, (_, index) => id(index));
      assert.equal(stream(tokenizer, ids).join(""), tokenizer.decode(ids, { skipSpecialTokens: true }));
    });
  }
});

describe("the bytes of tokens, for stop strings,", () => {
  const utf8 = (text: string) => new TextEncoder().encode(text);
  const backendOf = (kind: Kind) => {
    const made = files(kind);
    const settings = { config: made["tokenizer_config.json"], named: new Map(), added: [] };
    return unigramBackend(made["tokenizer.json"], { ...settings, isReadByPython: false, endsWithEos: false });
  };

  it("are those that an id adds within a text, special tokens included", () => {
    const { tokenBytes } = backendOf({ decoder: metaspace, cleanUp: true });
    assert.deepEqual(tokenBytes(1), utf8("</s>"));
    assert.deepEqual(tokenBytes(4 + 256 + pieces.indexOf("▁a")), utf8(" a"));
    assert.deepEqual(tokenBytes(4 + 256 + pieces.indexOf("b")), utf8("b"));
    assert.deepEqual(tokenBytes(4 + 256 + pieces.indexOf("▁.")), utf8(" ."), "not cleaned up");
    assert.deepEqual(tokenBytes(1000), new Uint8Array(), "no such token");
  });

  it("are single bytes for ByT5, and for byte tokens if the decoder has ByteFallback", () => {
    const { tokenBytes } = byteBackend(readTokenSettings({ config: {} }), {});
    assert.deepEqual(tokenBytes(3 + 0xc3), Uint8Array.of(0xc3));
    assert.deepEqual(tokenBytes(0), utf8("<pad>"));
    assert.deepEqual(tokenBytes(1000), new Uint8Array());
    const byte = 4 + 0xc3;
    assert.deepEqual(backendOf({ decoder: byteFallback, cleanUp: false }).tokenBytes(byte), Uint8Array.of(0xc3));
    assert.deepEqual(backendOf({ decoder: byteFallback, cleanUp: false }).tokenBytes(4 + 256 + 1), utf8(" a"));
    assert.deepEqual(backendOf({ decoder: metaspace, cleanUp: false }).tokenBytes(byte), utf8("<0xC3>"));
  });
});
