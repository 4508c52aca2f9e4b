import assert from "node:assert/strict";
import { demoModel, type T5ForConditionalGeneration, type TargetScore } from "torch-t5";
import { Reference } from "../support/reference.js";
import { makeCase, type Shape } from "./cases.js";
import { assertSameBits, assertSameFloats, floats, type ReferenceTensor } from "./comparing.js";
import { FAMILIES, load, makeFamily, openExported, type Prepared } from "./models.js";

const EMBEDDED = "the embedded model";
const THREADS = 1;
const TARGET_LENGTHS = [5, 1, 9, 3, 7, 2];
const BATCH_SIZES = [32, 2];
const ONE_ROW: Shape = { batch: 1, sourceLength: 11, targetLength: 9, masking: "none" };
const PAIRED: Shape = { batch: TARGET_LENGTHS.length, sourceLength: 14, targetLength: 9, masking: "right" };
/** torch computes a softmax in float32, torch-t5 that of two logits in float64: four times a float32's precision. */
const ROUNDING = 2 ** -22;
const QUERY = "which town has a harbour?";
const DOCUMENTS = [
  "The harbour of Lowmere is old.",
  "Lowmere's population is 12. Its doctor is Mona.",
  "In Thornby the flag is brown.",
  "The harbour of Rookley is timber.",
  "x",
];

interface Encoded {
  readonly inputIds: number[][];
  readonly attentionMask: number[][];
}

interface ReferenceScores {
  readonly logProbs: ReferenceTensor[];
  readonly sums: ReferenceTensor;
  readonly means: ReferenceTensor;
}

describe("scores and embeddings are bitwise those of Hugging Face's forward passes, rankings within a rounding", () => {
  let reference: Reference;

  before(() => {
    reference = new Reference();
  });

  after(() => reference.close());

  const take = (tensor: ReferenceTensor) => floats(reference.take(tensor.file));

  function assertSameScores(received: readonly TargetScore[], { logProbs }: ReferenceScores): void {
    assert.equal(received.length, logProbs.length);
    for (const [index, expected] of logProbs.entries()) {
      const found = received[index]?.logProbs ?? new Float32Array();
      assertSameFloats(`log-probabilities of target ${index}`, found, take(expected), expected.shape);
    }
  }

  const scoresOf = (received: readonly TargetScore[]) =>
    Float32Array.from(received, ({ score }) => {
      assert.ok(score !== undefined);
      // Nothing was rounded on the way: the number itself is a float32.
      assert.equal(Math.fround(score), score);
      return score;
    });

  for (const name of [...FAMILIES, EMBEDDED]) {
    describe(name, () => {
      let t5: T5ForConditionalGeneration;
      let prepared: Prepared;

      before(async function () {
        this.timeout(300_000);
        prepared = await (name === EMBEDDED ? openExported(reference, name, demoModel) : makeFamily(reference, name));
        t5 = await load(prepared.directory, THREADS);
      });

      after(() => t5?.dispose());

      const ask = <Reply>(op: string, fields: object) =>
        reference.request<Reply>(op, { model: name, threads: THREADS, ...fields });

      /** A source, and rows of ids of different lengths. */
      function inputs(shape: Shape) {
        const { labels: _, decoderInputIds, ...source } = makeCase(shape, prepared.vocabSize);
        const targets = TARGET_LENGTHS.map((length, row) =>
          Array.from(
            { length },
            (_, at) => ((decoderInputIds[row % shape.batch]?.[at] ?? 0) + row) % prepared.vocabSize,
          ),
        );
        return { source, targets };
      }

      for (const [title, shape] of Object.entries({ "one source": ONE_ROW, "as many sources": PAIRED })) {
        for (const batchSize of BATCH_SIZES) {
          it(`score of ${TARGET_LENGTHS.length} targets, ${title}, ${batchSize} at once`, async () => {
            const { source, targets } = inputs(shape);
            const expected = await ask<ReferenceScores>("score", { ...source, targets, batchSize });
            const summed = await t5.score(source, targets, { batchSize });
            assertSameScores(summed, expected);
            assert.deepEqual(
              summed.map(({ ids }) => [...ids]),
              targets,
            );
            assertSameFloats("sums", scoresOf(summed), take(expected.sums), expected.sums.shape);
            const means = await t5.score(source, targets, { batchSize, reduction: "mean" });
            assertSameFloats("means", scoresOf(means), take(expected.means), expected.means.shape);
          });
        }
      }

      it("score on an encoder output is the score of its source", async () => {
        const { source, targets } = inputs(PAIRED);
        const expected = await ask<ReferenceScores>("score", { ...source, targets, batchSize: 4 });
        using encoded = await t5.encode(source);
        const received = await t5.score(encoded, targets, { batchSize: 4, reduction: "none" });
        assertSameScores(received, expected);
        assert.ok(received.every((target) => target.score === undefined));
      });

      for (const pooling of ["mean", "first"] as const) {
        for (const normalize of [false, true]) {
          it(`embed, ${pooling}${normalize ? ", normalized" : ""}`, async () => {
            for (const shape of [ONE_ROW, PAIRED]) {
              const { source } = inputs(shape);
              const expected = await ask<{ embeddings: ReferenceTensor }>("embed", { ...source, pooling, normalize });
              const received = await t5.embed(source, { pooling, normalize });
              assertSameBits("embeddings", received, reference, expected.embeddings);
            }
          });
        }
      }
    });
  }

  describe("of texts", () => {
    let t5: T5ForConditionalGeneration;

    before(async () => {
      const { directory } = await openExported(reference, EMBEDDED, demoModel);
      t5 = await load(directory, THREADS);
    });

    after(() => t5?.dispose());

    const tokenize = (texts: readonly string[]) => reference.request<Encoded>("tokenize", { model: EMBEDDED, texts });
    const ask = <Reply>(op: string, fields: object) =>
      reference.request<Reply>(op, { model: EMBEDDED, threads: THREADS, ...fields });
    const batches = (texts: readonly string[], size: number) =>
      Array.from({ length: Math.ceil(texts.length / size) }, (_, at) => texts.slice(at * size, (at + 1) * size));

    it("score: targets end with the end id", async () => {
      const source = "spell number: 48213";
      const targets = ["forty-eight thousand two hundred thirteen", "seven", "forty-eight"];
      const { inputIds, attentionMask } = await tokenize(targets);
      const ids = inputIds.map((row, at) => row.filter((_, column) => attentionMask[at]?.[column] === 1));
      const expected = await ask<ReferenceScores>("score", {
        ...(await tokenize([source])),
        targets: ids,
        batchSize: 32,
      });
      const received = await t5.score(source, targets);
      assertSameScores(received, expected);
      assert.ok(ids.every((row) => row.at(-1) === t5.config.eosTokenId));
      assert.deepEqual(
        received.map((target) => [...target.ids]),
        ids,
      );
      const [right = Number.NaN, ...wrong] = scoresOf(received);
      assert.ok(wrong.every((score) => score < right));
    });

    for (const batchSize of [32, 2]) {
      it(`rerank: probabilities of "true" against "false", ${batchSize} documents at once`, async () => {
        const texts = DOCUMENTS.map((document) => `Query: ${QUERY} Document: ${document} Relevant:`);
        const tokens = (await tokenize(["true", "false"])).inputIds.map(([id]) => id);
        const probabilities: number[] = [];
        const logProbs: number[] = [];
        for (const batch of batches(texts, batchSize)) {
          const reply = await ask<Record<"logProbs" | "probabilities", ReferenceTensor>>("rerank", {
            ...(await tokenize(batch)),
            tokens,
          });
          const firstOf = (pairs: Float32Array) => [...pairs].filter((_, index) => index % tokens.length === 0);
          probabilities.push(...firstOf(take(reply.probabilities)));
          logProbs.push(...firstOf(take(reply.logProbs)));
        }
        const ranked = await t5.rerank(QUERY, DOCUMENTS, { batchSize });
        const order = probabilities
          .map((_, index) => index)
          .sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0));
        assert.deepEqual(
          ranked.map(({ index }) => index),
          order,
        );
        for (const { index, probability, score, document } of ranked) {
          assert.equal(document, DOCUMENTS[index]);
          assertRounded(probability, probabilities[index], `probability of document ${index}`);
          assertRounded(score, logProbs[index], `score of document ${index}`);
        }
      });

      it(`embed: padded ${batchSize} at once`, async () => {
        const texts = DOCUMENTS;
        const expected: number[] = [];
        for (const batch of batches(texts, batchSize)) {
          const fields = { ...(await tokenize(batch)), pooling: "mean", normalize: true };
          expected.push(...take((await ask<{ embeddings: ReferenceTensor }>("embed", fields)).embeddings));
        }
        const received = await t5.embed(texts, { normalize: true, batchSize });
        assert.deepEqual([...received.shape], [texts.length, t5.config.dModel]);
        assertSameFloats("embeddings", received.data, Float32Array.from(expected), received.shape);
      });
    }
  });
});

/** Fails unless two numbers differ by float32's rounding only, that of a softmax's few operations. */
function assertRounded(received: number, expected: number | undefined, name: string): void {
  assert.ok(expected !== undefined && Number.isFinite(expected), `no ${name}`);
  const allowed = ROUNDING * Math.max(1, Math.abs(expected));
  assert.ok(Math.abs(received - expected) <= allowed, `${name}: ${received} instead of ${expected}`);
}
