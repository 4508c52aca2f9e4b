import assert from "node:assert/strict";
import { demoModel, type GenerateOptions, type LogitsStep, type T5ForConditionalGeneration } from "torch-t5";
import { Reference } from "../support/reference.js";
import { askGenerate, assertSameGeneration } from "./generating.js";
import { load, makeFamily, openExported, type Prepared } from "./models.js";

const EMBEDDED = "the embedded model";
const BYTES = "byt5";
const THREADS = 1;
const SOURCES = ["spell number: 48213", "spell number: 907031", "spell number: 7"];
/** Of ids in ByT5: three special ones, then the bytes. */
const FIRST_BYTE = 3;
const ASCII = 128;

interface Encoded {
  readonly inputIds: number[][];
  readonly attentionMask: number[][];
}

describe("generate, from text to text, is Hugging Face's", () => {
  let reference: Reference;

  before(() => {
    reference = new Reference();
  });

  after(() => reference.close());

  /** Compares everything that both sides return for texts; returns the reference's. */
  async function compare(
    name: string,
    t5: T5ForConditionalGeneration,
    texts: readonly string[],
    options: GenerateOptions,
  ) {
    const encoded = await reference.request<Encoded>("tokenize", { model: name, texts });
    const expected = await askGenerate(reference, { model: name, threads: THREADS, ...encoded, options });
    const received = await t5.generate(texts, { ...options, returnLogits: true, returnScores: true });
    assert.ok(expected.texts !== undefined, "the reference has no texts");
    assertSameGeneration(received, expected, reference);
    return expected;
  }

  describe(EMBEDDED, () => {
    let t5: T5ForConditionalGeneration;

    before(async () => {
      const { directory } = await openExported(reference, EMBEDDED, demoModel);
      t5 = await load(directory, THREADS);
    });

    after(() => t5?.dispose());

    it("with the options of its generation_config.json alone", async () => {
      const { texts } = await compare(EMBEDDED, t5, SOURCES, {});
      assert.equal(texts?.at(-1), "seven");
    });

    for (const stopStrings of [
      "thousand",
      ["hundred", "seven"],
      // Begins and ends within words, and within the model's pieces of them.
      "ght thous",
      [" two hun", "ne hundr", "ev"],
      // One character, and a string that never comes.
      "-",
      ["zebra", "d"],
      "zebra",
    ]) {
      for (const [strategy, options] of Object.entries<GenerateOptions>({
        greedy: {},
        sampling: { doSample: true, seed: 3, temperature: 0.7, numReturnSequences: 2 },
        "three beams": { numBeams: 3, numReturnSequences: 2, padTokenId: 2 },
        "sampling beams": { numBeams: 2, doSample: true, seed: 4, padTokenId: 2 },
      })) {
        it(`stopStrings ${JSON.stringify(stopStrings)}, ${strategy}`, async () => {
          await compare(EMBEDDED, t5, SOURCES, { ...options, stopStrings, maxNewTokens: 24 });
        });
      }
    }

    it("stopStrings end a row behind the token that completes one", async () => {
      const { texts } = await compare(EMBEDDED, t5, SOURCES, { stopStrings: "thousand", maxNewTokens: 24 });
      assert.match(texts?.[0] ?? "", /thousand$/);
    });
  });

  describe("ByT5", () => {
    let t5: T5ForConditionalGeneration;
    const texts = ["héllo wörld", "a", "日本"];

    before(async () => {
      const prepared: Prepared = await makeFamily(reference, BYTES);
      t5 = await load(prepared.directory, THREADS);
    });

    after(() => t5?.dispose());

    it("bytes that are no text are left out of the texts", async () => {
      for (const options of [
        {},
        { numBeams: 4, numReturnSequences: 4 },
        { doSample: true, seed: 1, numReturnSequences: 4 },
      ]) {
        await compare(BYTES, t5, texts, { maxNewTokens: 30, ...options });
      }
    });

    it("a stream's pieces join to the text, and none ends within a character", async () => {
      const text = "ö日本 𝄞é";
      const ids = [...Buffer.from(text)].map((byte) => byte + FIRST_BYTE);
      const pieces: string[] = [];
      const logitsProcessor = ({ logits, step }: LogitsStep) => {
        logits.data.fill(Number.NEGATIVE_INFINITY)[ids[step] ?? t5.config.eosTokenId] = 0;
      };
      const options = { maxNewTokens: 40, logitsProcessor };
      for await (const piece of t5.stream("a", options)) pieces.push(piece.text);
      assert.equal(pieces.length, ids.length + 1);
      assert.deepEqual(pieces.filter((piece) => piece !== "").join(""), text);
      const { texts: whole } = await t5.generate("a", options);
      assert.deepEqual(whole, [text]);
      for (const piece of pieces) {
        // Half a pair of surrogates would come back as a replacement character.
        assert.equal(Buffer.from(piece).toString(), piece);
        assert.ok(!piece.includes("\ufffd"), JSON.stringify(piece));
      }
    });

    it("stopStrings of one and two bytes", async () => {
      const options: GenerateOptions = { maxNewTokens: 30, doSample: true, seed: 2, eosTokenId: [] };
      const { sequences } = await compare(BYTES, t5, texts, options);
      const isAscii = (id: number | undefined) => id !== undefined && id >= FIRST_BYTE && id < FIRST_BYTE + ASCII;
      const text = (...ids: number[]) => String.fromCharCode(...ids.map((id) => id - FIRST_BYTE));
      const rows = sequences.map((row) => row.slice(3));
      const single = rows.flat().find(isAscii) ?? 0;
      const pairs = rows.flatMap((row) => row.slice(1).map((id, at) => [row[at] ?? 0, id] as const));
      const pair = pairs.find((ids) => ids.every(isAscii));
      assert.ok(single > 0 && pair !== undefined, "the model emits no text to stop at");
      const ended = await compare(BYTES, t5, texts, { ...options, stopStrings: [text(single), text(...pair)] });
      assert.ok(
        ended.sequences.some((row) => row.includes(t5.config.padTokenId, 1)),
        "no row ends early",
      );
    });
  });
});
