import assert from "node:assert/strict";
import { env } from "node:process";
import { T5Error } from "torch-t5";
import { readSentencePieceModel } from "#lib/tokenizer/sentencepiece-model.js";
import { pipelineOfSpiece } from "#lib/tokenizer/t5-pipeline.js";
import { unigramBackend } from "#lib/tokenizer/unigram-backend.js";
import { finish } from "#lib/util/slices.js";
import { Random } from "../parity/tokenizer/corpora/random.js";
import { FIRST_PIECES, FIXED_32, field, message, piece, VARINT, varint } from "../support/sentencepiece.js";

/** TORCH_T5_FUZZ_INPUTS sets more: a million take a minute. */
const INPUTS = Number(env.TORCH_T5_FUZZ_INPUTS ?? 20_000);
const SEED = Number(env.TORCH_T5_SEED ?? 15);
const MAX_CHANGES = 4;
const TEXT = "ab é\u0301 </s>c\u2581x";

/** A trie of one character, "a", whose replacement is "b". */
function charsmap(): Buffer {
  const units = new Uint32Array(256);
  // The root's offset is 0, so the unit of a byte has its number. A unit is: label, leaf flag, offset.
  units["a".charCodeAt(0)] = "a".charCodeAt(0) | (1 << 8) | (128 << 10);
  units[128 ^ "a".charCodeAt(0)] = 2 ** 31;
  return Buffer.concat([
    Buffer.from(Uint32Array.of(units.byteLength).buffer),
    Buffer.from(units.buffer),
    Buffer.from("b\0"),
  ]);
}

const SEEDS = [
  [...FIRST_PIECES, ...Array.from("▁abcxé", (letter, index) => piece(letter, -index))],
  [
    ...FIRST_PIECES,
    piece("▁"),
    piece("word▁", -2.5, 4),
    message(2, field(3, VARINT, varint(1)), field(10, FIXED_32, Buffer.alloc(4))),
  ],
  [
    message(3, message(2, charsmap()), field(5, VARINT, varint(1))),
    ...FIRST_PIECES,
    piece("▁b"),
    piece("<0x41>", 0, 6),
  ],
].map((parts) => Buffer.concat(parts));

const CHANGES: readonly ((bytes: Buffer, random: Random) => Buffer)[] = [
  // One byte, often to one with a meaning: the end of a number or one that goes on, a tag, a length.
  (bytes, random) => {
    const changed = Buffer.from(bytes);
    changed[random.integer(0, bytes.length - 1)] = random.pick([
      0,
      1,
      0x0a,
      0x12,
      0x15,
      0x7f,
      0x80,
      0xff,
      random.integer(0, 255),
    ]);
    return changed;
  },
  (bytes, random) => bytes.subarray(0, random.integer(0, bytes.length)),
  (bytes, random) =>
    splice(bytes, random, () =>
      Buffer.from(Array.from({ length: random.integer(1, 12) }, () => random.integer(0, 255))),
    ),
  (bytes, random) =>
    splice(bytes, random, () => Buffer.alloc(random.integer(1, 12), random.pick([0x80, 0xff, 0x0a, 0]))),
  (bytes, random) => splice(bytes, random, () => part(bytes, random)),
  (bytes, random) => splice(bytes, random, () => message(random.integer(0, 5), part(bytes, random))),
  (bytes, random) => {
    const from = random.integer(0, bytes.length);
    return Buffer.concat([
      bytes.subarray(0, from),
      bytes.subarray(random.integer(from, Math.min(bytes.length, from + 8))),
    ]);
  },
  (bytes, random) => message(random.integer(1, 3), bytes),
];

function part(bytes: Buffer, random: Random): Buffer {
  const from = random.integer(0, bytes.length);
  return bytes.subarray(from, random.integer(from, Math.min(bytes.length, from + 40)));
}

/** Inserts bytes. */
function splice(bytes: Buffer, random: Random, inserted: () => Buffer): Buffer {
  const at = random.integer(0, bytes.length);
  return Buffer.concat([bytes.subarray(0, at), inserted(), bytes.subarray(at)]);
}

describe("a spiece.model with random changes", () => {
  it("is read, or refused with ERR_MODEL_CORRUPT, and a tokenizer that was made takes any text", () => {
    const random = new Random(SEED);
    let read = 0;
    for (let index = 0; index < INPUTS; index++) {
      let bytes: Buffer = random.pick(SEEDS);
      for (let count = random.integer(1, MAX_CHANGES); count > 0 && bytes.length > 0; count--) {
        bytes = random.pick(CHANGES)(bytes, random);
      }
      try {
        const json = pipelineOfSpiece(readSentencePieceModel(bytes, "spiece.model"), "spiece.model", 2);
        const settings = { config: {}, named: new Map(), added: [], isReadByPython: true, endsWithEos: true };
        const tokenizer = unigramBackend(json, settings);
        const { ids } = finish(tokenizer.encode(TEXT));
        assert.equal(
          typeof tokenizer.decode([...ids], { skipSpecialTokens: false, cleanUpTokenizationSpaces: false }),
          "string",
        );
        read++;
      } catch (error) {
        const isRefusal = error instanceof T5Error && error.code === "ERR_MODEL_CORRUPT";
        assert.ok(isRefusal, `input ${index} of seed ${SEED}, ${bytes.toString("hex")}: ${error}`);
      }
    }
    assert.ok(read > INPUTS / 50 && read < INPUTS / 2, `${read} of ${INPUTS} were read`);
  });
});
