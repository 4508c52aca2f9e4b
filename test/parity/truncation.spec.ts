import assert from "node:assert/strict";
import {
  assertSameBits,
  assertSameFloats,
  type ReferenceForward,
  type ReferenceTensor,
  takeFloats,
} from "./comparing.js";
import { askGenerate, assertSameGeneration } from "./generating.js";
import { EMBEDDED } from "./models.js";
import { type Subject, useSubject } from "./subject.js";

const THREADS = 1;
const TEXTS = ["spell number: 48213", "date to iso: March 5, 2021", "spell number: 7", ""];
const TEXT_COUNT = TEXTS.length;
const LENGTHS = [1, 2, 5, 9, 100];
const QUERY = "which town has a harbour?";
const DOCUMENTS = [
  "The harbour of Lowmere is old, and its doctor is Mona. ".repeat(3),
  "Lowmere's population is 12. Its doctor is Mona.",
  "x",
  "  white   space,\tand a ligature: oﬃce — naïve 北京 🙂  ",
  "",
];
/** Of the prompts: from one that leaves few ids of a document to one that truncates only the first document. */
const PROMPT_LENGTHS = [33, 36, 47, 70];
/** See scoring.spec.ts. */
const ROUNDING = 2 ** -22;

interface Encoded {
  readonly inputIds: number[][];
  readonly attentionMask: number[][];
}

describe("truncated texts give Hugging Face's results on its own truncated ids", () => {
  const subject = useSubject(EMBEDDED, "exact", THREADS);
  const tokenize = (texts: readonly string[], options: object = {}) =>
    subject.ask<Encoded>("tokenize", { texts, ...options });
  const take = (tensor: ReferenceTensor) => takeFloats(subject.reference(), tensor);

  /** Which texts have more ids than `maxLength`, by Hugging Face's own ids. */
  async function longerThan(maxLength: number): Promise<boolean[]> {
    const { attentionMask } = await tokenize(TEXTS);
    return attentionMask.map((row) => row.reduce((sum, one) => sum + one, 0) > maxLength);
  }

  for (const maxLength of LENGTHS) {
    it(`forward, encode, score and embed, of at most ${maxLength} ids`, async () => {
      const t5 = subject.t5();
      const encoded = await tokenize(TEXTS, { maxLength });
      const truncated = await longerThan(maxLength);
      const source = { text: TEXTS, maxLength };

      const decoderInputIds = TEXTS.map(() => [t5.config.decoderStartTokenId]);
      const expected = await subject.ask<ReferenceForward>("forward", { ...encoded, decoderInputIds });
      const forwarded = await t5.forward(source);
      assertSameBits("logits", forwarded.logits, subject.reference(), expected.logits);
      assert.deepEqual(forwarded.truncated, truncated);

      using state = await t5.encode(source);
      assert.deepEqual([...state.shape.slice(0, 2)], [TEXT_COUNT, encoded.inputIds[0]?.length]);
      assert.deepEqual(state.truncated, truncated);

      const targets = TEXTS.map(() => [5, 6, 7]);
      const scores = await subject.ask<{ sums: ReferenceTensor }>("score", { ...encoded, targets, batchSize: 32 });
      const scored = await t5.score(source, targets);
      assertSameFloats(
        "scores",
        Float32Array.from(scored, ({ score }) => score),
        take(scores.sums),
        [TEXT_COUNT],
      );
      assert.deepEqual(
        scored.map((target) => target.truncated),
        truncated,
      );

      const fields = { ...encoded, pooling: "mean", normalize: true };
      const { embeddings } = await subject.ask<{ embeddings: ReferenceTensor }>("embed", fields);
      const embedded = await t5.embed(source, { normalize: true });
      assertSameBits("embeddings", embedded, subject.reference(), embeddings);
      assert.deepEqual(embedded.truncated, truncated);
      assert.deepEqual((await t5.embed(source, { batchSize: 3 })).truncated, truncated);
    });

    it(`generate and stream, of at most ${maxLength} ids`, async () => {
      const encoded = await tokenize(TEXTS, { maxLength });
      const options = { maxNewTokens: 8 };
      const request = { model: subject.name, threads: THREADS, ...encoded, options };
      const expected = await askGenerate(subject.reference(), request);
      const all = { ...options, returnLogits: true, returnScores: true } as const;
      const received = await subject.t5().generate({ text: TEXTS, maxLength }, all);
      assertSameGeneration(received, expected, subject.reference());
      assert.deepEqual(received.truncated, await longerThan(maxLength));

      const [first = ""] = TEXTS;
      const alone = await tokenize([first], { maxLength });
      const { texts } = await askGenerate(subject.reference(), { ...request, ...alone });
      const stream = subject.t5().stream({ text: first, maxLength }, options);
      let streamed = "";
      for await (const { text } of stream) streamed += text;
      assert.equal(streamed, texts?.[0]);
      assert.deepEqual(stream.truncated, (await longerThan(maxLength)).slice(0, 1));
    });
  }

  it("targets without special tokens are scored as Hugging Face's ids of them", async () => {
    const targets = ["forty-eight thousand", "seven", "two hundred thirteen"];
    const rows = await Promise.all(targets.map((target) => tokenize([target], { addSpecialTokens: false })));
    const ids = rows.map(({ inputIds }) => inputIds[0] ?? []);
    const [source = ""] = TEXTS;
    const request = { ...(await tokenize([source])), targets: ids, batchSize: 32 };
    const { sums } = await subject.ask<{ sums: ReferenceTensor }>("score", request);
    const scored = await subject.t5().score(source, targets, { addSpecialTokens: false });
    assert.deepEqual(
      scored.map((target) => [...target.ids]),
      ids,
    );
    assertSameFloats(
      "scores",
      Float32Array.from(scored, ({ score }) => score),
      take(sums),
      [targets.length],
    );
  });

  it("a bad word whose ids have no end is never generated, and the end alone is no bad word, as in Hugging Face", async () => {
    const [source = ""] = TEXTS;
    const { tokenizer, config } = subject.t5();
    assert.ok(tokenizer);
    const { eosTokenId } = config;
    const [word] = (await tokenize(["thousand"], { addSpecialTokens: false })).inputIds;
    const own = tokenizer.encode("thousand", { addSpecialTokens: false }).ids;
    assert.deepEqual([...own], word);
    const request = { model: subject.name, threads: THREADS, ...(await tokenize([source])) };
    const expected = await askGenerate(subject.reference(), {
      ...request,
      options: { badWordsIds: [[eosTokenId], word ?? []] },
    });
    const { texts } = await subject.t5().generate(source, { badWordsIds: [[eosTokenId], own] });
    assert.deepEqual(texts, expected.texts);
    assert.ok(!texts?.[0]?.includes("thousand"));
  });
});

describe("documents are truncated as Hugging Face's ids of them", () => {
  // As in T5, a word has the space before it.
  describe(EMBEDDED, () => describeDocuments(useSubject(EMBEDDED, "exact", THREADS), "Relevant:", PROMPT_LENGTHS));
  describe("byt5", () => describeDocuments(useSubject("byt5", "exact", THREADS), " Relevant:", [70, 81, 90, 110]));
});

/** `end` is what comes after the document, without what isn't read of it. */
function describeDocuments(subject: Subject, end: string, lengths: readonly number[]): void {
  const [trueToken, falseToken] = [7, 6];
  for (const maxLength of lengths) {
    it(`in prompts of at most ${maxLength} ids, which keep their end`, async () => {
      const idsOf = async (text: string, options: object) =>
        (await subject.ask<Encoded>("tokenize", { texts: [text], ...options })).inputIds[0] ?? [];
      const last = await idsOf(end, {});
      const ranked = await subject.t5().rerank(QUERY, DOCUMENTS, { maxLength, batchSize: 1, trueToken, falseToken });
      assert.equal(ranked.length, DOCUMENTS.length);
      assert.ok(ranked.some(({ truncated }) => truncated));
      for (const { index, probability, truncated } of ranked) {
        const ids = await idsOf(`Query: ${QUERY} Document: ${DOCUMENTS[index]}`, { addSpecialTokens: false });
        const inputIds = [[...ids.slice(0, maxLength - last.length), ...last]];
        const request = { inputIds, tokens: [trueToken, falseToken] };
        const reply = await subject.ask<{ probabilities: ReferenceTensor }>("rerank", request);
        const [expected = Number.NaN] = takeFloats(subject.reference(), reply.probabilities);
        const difference = Math.abs(probability - expected);
        assert.ok(difference <= ROUNDING, `document ${index}: ${probability} instead of ${expected}`);
        assert.equal(truncated, ids.length + last.length > maxLength, `document ${index}`);
      }
    });
  }
}
