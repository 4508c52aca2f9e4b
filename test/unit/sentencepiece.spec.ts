import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { T5Tokenizer } from "torch-t5";
import { withDirectory } from "../support/directory.js";
import {
  CONTROL,
  END_GROUP,
  FIRST_PIECES,
  FIXED_32,
  FIXED_64,
  field,
  LENGTH_DELIMITED,
  message,
  piece,
  START_GROUP,
  UNKNOWN,
  VARINT,
  varint,
} from "../support/sentencepiece.js";

type Json = Readonly<Record<string, unknown>>;

const LETTERS = Array.from("▁abcde", (letter) => piece(letter));
const PIECES = [...FIRST_PIECES, ...LETTERS];
const T5 = { model_type: "t5" };

/** The tokenizer of a directory with a spiece.model, and other files by their names without suffix. */
function open(spiece: readonly Uint8Array[], files: Json = { config: T5 }): Promise<T5Tokenizer> {
  return withDirectory((directory) => {
    writeFileSync(join(directory, "spiece.model"), Buffer.concat(spiece));
    writeJson(directory, files);
    return T5Tokenizer.fromPretrained(directory);
  });
}

function writeJson(directory: string, files: Json): void {
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, `${name}.json`), JSON.stringify(content));
  }
}

function tokensOf(tokenizer: T5Tokenizer, text: string): readonly (string | undefined)[] {
  return Array.from(tokenizer.encode(text).ids, (id) => tokenizer.idToToken(id));
}

describe("the tokenizer of a spiece.model", () => {
  it("has its pieces, the sentinels after them, and T5's pipeline", async () => {
    const tokenizer = await open(PIECES);
    assert.deepEqual([tokenizer.padTokenId, tokenizer.eosTokenId], [0, 1]);
    assert.deepEqual(tokensOf(tokenizer, " ab  c? "), ["▁", "a", "b", "▁", "c", "<unk>", "</s>"]);
    assert.equal(tokenizer.tokenToId("<extra_id_0>"), PIECES.length + 99);
    assert.equal(tokenizer.tokenToId("<extra_id_99>"), PIECES.length);
    assert.equal(tokenizer.decode(tokenizer.encode("ab c").ids, { skipSpecialTokens: true }), "ab c");
  });

  it("may have fields in any order and ones that are unknown, and takes the last value of a field", async () => {
    const unknown = [
      field(3, VARINT, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])),
      field(2 ** 29 - 1, FIXED_64, Buffer.alloc(8)),
      field(100, FIXED_32, Buffer.alloc(4)),
      message(4, Buffer.from("\xff")),
    ];
    const late = message(
      1,
      field(3, VARINT, varint(UNKNOWN)),
      field(1, LENGTH_DELIMITED, Buffer.from("x")),
      field(9, VARINT, Buffer.from([0x80, 0x80, 0x00])),
      field(1, LENGTH_DELIMITED, Buffer.from("<unk>")),
    );
    const [pad = Buffer.alloc(0), eos = Buffer.alloc(0)] = PIECES;
    const spiece = [...unknown.slice(1), message(2, ...unknown.slice(1)), pad, eos, late, message(3), ...LETTERS];
    assert.deepEqual(tokensOf(await open(spiece), "ab"), ["▁", "a", "b", "</s>"]);
  });

  it("is read if no tokenizer.json is there, whatever class of T5's is named", async () => {
    for (const tokenizer_class of ["T5Tokenizer", "T5TokenizerFast", "MT5Tokenizer", "PreTrainedTokenizerFast"]) {
      for (const model_type of ["t5", "mt5", "umt5"]) {
        const tokenizer = await open(PIECES, { config: { model_type }, tokenizer_config: { tokenizer_class } });
        assert.deepEqual(tokensOf(tokenizer, "a"), ["▁", "a", "</s>"]);
      }
    }
    assert.deepEqual(tokensOf(await open(PIECES, {}), "a"), ["▁", "a", "</s>"]);
  });

  const extended = (bytes: readonly number[]) => Buffer.concat([...PIECES, Buffer.from(bytes)]);
  const inPiece = (...fields: readonly Uint8Array[]) => [...PIECES, message(1, ...fields)];
  const text = field(1, LENGTH_DELIMITED, Buffer.from("x"));
  const trainer = (number: number, value: number) => [...PIECES, message(2, field(number, VARINT, varint(value)))];
  const normalizer = (...fields: readonly Uint8Array[]) => [...PIECES, message(3, ...fields)];
  const refused: readonly (readonly [what: string, spiece: readonly Uint8Array[], message: RegExp])[] = [
    ["an empty file", [], /the piece for unknown text.* for pieces\[2\] in spiece.model but received undefined/],
    ["JSON", [Buffer.from("{}")], /field 15 .*|bytes that its message still has|wire type|a number of at most/],
    ["a truncated piece", [extended([0x0a])], /a number of at most 10 bytes .* for byte \d+ of spiece.model/],
    ["a length beyond the file", [extended([0x0a, 0x05, 1])], /at most the 1 bytes .* but received 5/],
    ["a length of 2^63", [extended([0x0a, ...Array(9).fill(0xff), 0x01])], /at most the 0 bytes/],
    ["a number of 11 bytes", [extended([0x20, ...Array(10).fill(0x80), 0x00])], /a number of at most 10 bytes/],
    ["a number over 64 bits", [extended([0x20, ...Array(9).fill(0xff), 0x02])], /a number of at most 10 bytes/],
    ["field 0", [extended([0x02, 0x00])], /a field number from 1 to 536870911 .* but received 0/],
    ["a field over 2^29", [extended([0x80, 0x80, 0x80, 0x80, 0x10, 0x00])], /but received 536870912/],
    ["a group", [...PIECES, field(6, START_GROUP, Buffer.alloc(0))], /not a group, of field 6, .* received 3/],
    ["the end of a group", [...PIECES, field(6, END_GROUP, Buffer.alloc(0))], /not a group, of field 6, .* received 4/],
    ["wire type 6", [...PIECES, field(6, 6, Buffer.alloc(0))], /not a group, of field 6, .* received 6/],
    ["a piece of another wire type", [...PIECES, field(1, VARINT, varint(1))], /wire type 2 of field 1/],
    ["a text of another wire type", inPiece(field(1, VARINT, varint(1))), /wire type 2 of field 1/],
    ["a score of another wire type", inPiece(text, field(2, FIXED_64, Buffer.alloc(8))), /wire type 5 of field 2/],
    ["a type of another wire type", inPiece(text, field(3, FIXED_32, Buffer.alloc(4))), /wire type 0 of field 3/],
    ["a field beyond its piece", inPiece(Buffer.from([0x0a, 0x01])), /at most the 0 bytes/],
    ["an unknown field beyond its piece", inPiece(text, Buffer.from([0x21, 1])), /at most the 1 bytes/],
    ["a piece without text", inPiece(), /a text that isn't empty .* for pieces\[9\].piece in spiece.model/],
    ["an empty piece", [...PIECES, piece("")], /a text that isn't empty .* for pieces\[9\].piece/],
    ["two equal pieces", [...PIECES, piece("a")], /that no other piece has for pieces\[9\].piece .* received "a"/],
    ["half a character", [...PIECES, piece(Buffer.from([0xe2, 0x96]))], /UTF-8 for pieces\[9\].piece/],
    ["a surrogate", [...PIECES, piece(Buffer.from([0xed, 0xa0, 0x80]))], /UTF-8 for pieces\[9\].piece/],
    ["an overlong character", [...PIECES, piece(Buffer.from([0xc0, 0x80]))], /UTF-8 for pieces\[9\].piece/],
    ["NaN", [...PIECES, piece("x", Number.NaN)], /a finite number for pieces\[9\].score .* received NaN/],
    ["infinity", [...PIECES, piece("x", Number.NEGATIVE_INFINITY)], /pieces\[9\].score .* received -Infinity/],
    ["type 0", [...PIECES, piece("x", 0, 0)], /1 to 6 for pieces\[9\].type .* received 0/],
    ["type 7", [...PIECES, piece("x", 0, 7)], /1 to 6 for pieces\[9\].type .* received 7/],
    ["no unknown piece", [piece("<pad>"), piece("</s>"), ...LETTERS], /pieces\[2\] in spiece.model but received "▁"/],
    [
      "the unknown piece elsewhere",
      [piece("<unk>", 0, UNKNOWN), piece("<s>", 0, CONTROL), piece("</s>", 0, CONTROL), ...LETTERS],
      /T5Tokenizer takes from there \(`torch-t5 export` .*pieces\[2\] in spiece.model but received "<\/s>"/,
    ],
    [
      "BPE",
      trainer(3, 2),
      /UNIGRAM, WORD or CHAR \(`torch-t5 export` .* for trainer_spec.model_type .* received "BPE"/,
    ],
    ["another type of model", trainer(3, 9), /UNIGRAM, WORD or CHAR .* but received 9/],
    ["word marks after words", trainer(24, 1), /false .* for trainer_spec.treat_whitespace_as_suffix .* received true/],
    ["spaces as they are", normalizer(field(5, VARINT, varint(0))), /true .* for normalizer_spec.escape_whitespaces/],
    ["a short charsmap", normalizer(message(2, Buffer.from("abc"))), /a trie and its texts for normalizer_spec/],
    [
      "a charsmap with a trie beyond it",
      normalizer(message(2, Buffer.from([0xfc, 0xff, 0xff, 0xff, 0, 0, 0, 0]))),
      /a trie and its texts for normalizer_spec.precompiled_charsmap in spiece.model/,
    ],
    [
      "a charsmap with texts that aren't UTF-8",
      normalizer(message(2, Buffer.from([4, 0, 0, 0, 0, 0, 0, 0, 0xff]))),
      /a trie and its texts for normalizer_spec/,
    ],
    [
      "more than a million pieces",
      [...PIECES, Buffer.alloc(2 * 2 ** 20, Buffer.from([0x0a, 0]))],
      /at most 1048576 pieces for spiece.model but received 1048577/,
    ],
    ["a message in itself, a million deep", [Buffer.alloc(2 ** 20, 0x0a)], /at most|wire type/],
  ];
  for (const [what, spiece, message] of refused) {
    it(`refuses ${what}`, () => assert.rejects(open(spiece), { name: "T5Error", code: "ERR_MODEL_CORRUPT", message }));
  }

  it("refuses every file that ends early", async () => {
    const whole = Buffer.concat(PIECES);
    // At the end of a piece the file is valid, and from the third piece on it has all that T5Tokenizer needs.
    const ends = new Set(PIECES.map((_, index) => Buffer.concat(PIECES.slice(0, index + 1)).length).slice(2));
    for (let end = 0; end < whole.length; end++) {
      if (ends.has(end)) continue;
      await assert.rejects(open([whole.subarray(0, end)]), { code: "ERR_MODEL_CORRUPT" }, `${end} bytes`);
    }
  });

  it("refuses a file of more than 256 MB before it is read", () =>
    withDirectory(async (directory) => {
      const path = join(directory, "spiece.model");
      writeFileSync(path, "");
      truncateSync(path, 2 ** 40);
      const message = /at most 268435456 bytes for the size of spiece.model but received 1099511627776/;
      await assert.rejects(T5Tokenizer.fromPretrained(directory), { code: "ERR_MODEL_CORRUPT", message });
    }));
});
