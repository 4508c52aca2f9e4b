import assert from "node:assert/strict";
import type { GenerateOptions, LogitsStep } from "torch-t5";
import { askGenerate, assertSameGeneration } from "./generating.js";
import { EMBEDDED } from "./models.js";
import { type Subject, useSubject } from "./subject.js";

const THREADS = 1;
const SOURCES = ["spell number: 48213", "spell number: 907031", "spell number: 7"];
/** ByT5's ids are three special ones, then the bytes. */
const FIRST_BYTE = 3;
const ASCII = 128;

interface Encoded {
  readonly inputIds: number[][];
  readonly attentionMask: number[][];
}

describe("generate from text to text is Hugging Face's", () => {
  /** Compares everything that both sides return for texts. Resolves to the reference's reply. */
  async function compare(subject: Subject, texts: readonly string[], options: GenerateOptions) {
    const encoded = await subject.ask<Encoded>("tokenize", { texts });
    const request = { model: subject.name, threads: THREADS, ...encoded, options };
    const expected = await askGenerate(subject.reference(), request);
    const received = await subject.t5().generate(texts, { ...options, returnLogits: true, returnScores: true });
    assert.ok(expected.texts !== undefined, "the reference has no texts");
    assertSameGeneration(received, expected, subject.reference());
    return expected;
  }

  describe(EMBEDDED, () => {
    const subject = useSubject(EMBEDDED, "exact", THREADS);

    it("with only the options of its generation_config.json", async () => {
      const { texts } = await compare(subject, SOURCES, {});
      assert.equal(texts?.at(-1), "seven");
    });

    for (const stopStrings of [
      "thousand",
      ["hundred", "seven"],
      // They start and end within words, and within the model's pieces of words.
      "ght thous",
      [" two hun", "ne hundr", "ev"],
      // One character, and a string that never occurs.
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
          await compare(subject, SOURCES, { ...options, stopStrings, maxNewTokens: 24 });
        });
      }
    }

    it("stopStrings end a row after the token that completes one", async () => {
      const { texts } = await compare(subject, SOURCES, { stopStrings: "thousand", maxNewTokens: 24 });
      assert.match(texts?.[0] ?? "", /thousand$/);
    });
  });

  describe("ByT5", () => {
    const subject = useSubject("byt5", "exact", THREADS);
    const texts = ["héllo wörld", "a", "日本"];

    it("bytes that are not UTF-8 are left out of the texts", async () => {
      for (const options of [
        {},
        { numBeams: 4, numReturnSequences: 4 },
        { doSample: true, seed: 1, numReturnSequences: 4 },
      ]) {
        await compare(subject, texts, { maxNewTokens: 30, ...options });
      }
    });

    it("a stream's pieces join to the text, and none ends within a character", async () => {
      const t5 = subject.t5();
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
        // Half a surrogate pair would come back as a replacement character.
        assert.equal(Buffer.from(piece).toString(), piece);
        assert.ok(!piece.includes("\ufffd"), JSON.stringify(piece));
      }
    });

    it("stopStrings of one and two bytes", async () => {
      const options: GenerateOptions = { maxNewTokens: 30, doSample: true, seed: 2, eosTokenId: [] };
      const { sequences } = await compare(subject, texts, options);
      const isAscii = (id: number | undefined) => id !== undefined && id >= FIRST_BYTE && id < FIRST_BYTE + ASCII;
      const text = (...ids: number[]) => String.fromCharCode(...ids.map((id) => id - FIRST_BYTE));
      const rows = sequences.map((row) => row.slice(3));
      const single = rows.flat().find(isAscii) ?? 0;
      const pairs = rows.flatMap((row) => row.slice(1).map((id, at) => [row[at] ?? 0, id] as const));
      const pair = pairs.find((ids) => ids.every(isAscii));
      assert.ok(single > 0 && pair !== undefined, "the model emits no text to stop at");
      const ended = await compare(subject, texts, { ...options, stopStrings: [text(single), text(...pair)] });
      assert.ok(
        ended.sequences.some((row) => row.includes(subject.t5().config.padTokenId, 1)),
        "no row ends early",
      );
    });
  });
});
