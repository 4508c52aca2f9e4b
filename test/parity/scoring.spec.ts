import assert from "node:assert/strict";
import type { TargetScore } from "torch-t5";
import { makeCase, type Shape } from "./cases.js";
import { assertFloat32, assertSameBits, assertSameFloats, type ReferenceTensor, takeFloats } from "./comparing.js";
import { EMBEDDED, NAMES } from "./models.js";
import { type Subject, useSubject } from "./subject.js";

const THREADS = 1;
const TARGET_LENGTHS = [5, 1, 9, 3, 7, 2];
const BATCH_SIZES = [32, 2];
const ONE_ROW: Shape = { batch: 1, sourceLength: 11, targetLength: 9, masking: "none" };
const PAIRED: Shape = { batch: TARGET_LENGTHS.length, sourceLength: 14, targetLength: 9, masking: "right" };
/**
 * Four times float32's precision: torch computes a softmax in float32, torch-t5 computes that of two logits in float64.
 */
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

interface ReferenceEmbeddings {
  readonly embeddings: ReferenceTensor;
}

interface ReferenceRanking {
  readonly probabilities: ReferenceTensor;
  readonly logProbs: ReferenceTensor;
}

describe("scores and embeddings are bitwise Hugging Face's, and rankings differ by rounding only", () => {
  for (const name of NAMES) describe(name, () => describeScoring(useSubject(name, "exact", THREADS)));
  describe("of texts", () => describeTexts(useSubject(EMBEDDED, "exact", THREADS)));
});

function describeScoring(subject: Subject): void {
  const take = (tensor: ReferenceTensor) => takeFloats(subject.reference(), tensor);

  /** A source, and rows of ids of different lengths. */
  function inputs(shape: Shape) {
    const { vocabSize } = subject.prepared();
    const { labels: _, decoderInputIds, ...source } = makeCase(shape, vocabSize);
    const targets = TARGET_LENGTHS.map((length, row) =>
      Array.from({ length }, (_, at) => ((decoderInputIds[row % shape.batch]?.[at] ?? 0) + row) % vocabSize),
    );
    return { source, targets };
  }

  for (const [title, shape] of Object.entries({ "one source": ONE_ROW, "as many sources": PAIRED })) {
    for (const batchSize of BATCH_SIZES) {
      it(`score: ${TARGET_LENGTHS.length} targets, ${title}, in batches of ${batchSize}`, async () => {
        const { source, targets } = inputs(shape);
        const expected = await subject.ask<ReferenceScores>("score", { ...source, targets, batchSize });
        const summed = await subject.t5().score(source, targets, { batchSize });
        assertSameScores(subject, summed, expected);
        assert.deepEqual(
          summed.map(({ ids }) => [...ids]),
          targets,
        );
        assertSameFloats("sums", scoresOf(summed), take(expected.sums), expected.sums.shape);
        const means = await subject.t5().score(source, targets, { batchSize, reduction: "mean" });
        assertSameFloats("means", scoresOf(means), take(expected.means), expected.means.shape);
      });
    }
  }

  it("score: an encoder output gives the scores of its source", async () => {
    const { source, targets } = inputs(PAIRED);
    const expected = await subject.ask<ReferenceScores>("score", { ...source, targets, batchSize: 4 });
    using encoded = await subject.t5().encode(source);
    const received = await subject.t5().score(encoded, targets, { batchSize: 4, reduction: "none" });
    assertSameScores(subject, received, expected);
    assert.ok(received.every((target) => target.score === undefined));
  });

  for (const pooling of ["mean", "first"] as const) {
    for (const normalize of [false, true]) {
      it(`embed: ${pooling}${normalize ? ", normalized" : ""}`, async () => {
        for (const shape of [ONE_ROW, PAIRED]) {
          const { source } = inputs(shape);
          const expected = await subject.ask<ReferenceEmbeddings>("embed", { ...source, pooling, normalize });
          const received = await subject.t5().embed(source, { pooling, normalize });
          assertSameBits("embeddings", received, subject.reference(), expected.embeddings);
        }
      });
    }
  }
}

function describeTexts(subject: Subject): void {
  const take = (tensor: ReferenceTensor) => takeFloats(subject.reference(), tensor);
  const tokenize = (texts: readonly string[]) => subject.ask<Encoded>("tokenize", { texts });
  const batches = (texts: readonly string[], size: number) =>
    Array.from({ length: Math.ceil(texts.length / size) }, (_, at) => texts.slice(at * size, (at + 1) * size));

  it("score: targets end with the end id", async () => {
    const source = "spell number: 48213";
    const targets = ["forty-eight thousand two hundred thirteen", "seven", "forty-eight"];
    const { inputIds, attentionMask } = await tokenize(targets);
    const ids = inputIds.map((row, at) => row.filter((_, column) => attentionMask[at]?.[column] === 1));
    const request = { ...(await tokenize([source])), targets: ids, batchSize: 32 };
    const expected = await subject.ask<ReferenceScores>("score", request);
    const received = await subject.t5().score(source, targets);
    assertSameScores(subject, received, expected);
    assert.ok(ids.every((row) => row.at(-1) === subject.t5().config.eosTokenId));
    assert.deepEqual(
      received.map((target) => [...target.ids]),
      ids,
    );
    const [right = Number.NaN, ...wrong] = scoresOf(received);
    assert.ok(wrong.every((score) => score < right));
  });

  for (const batchSize of BATCH_SIZES) {
    it(`rerank: probabilities of "true" against "false", in batches of ${batchSize} documents`, async () => {
      const texts = DOCUMENTS.map((document) => `Query: ${QUERY} Document: ${document} Relevant:`);
      const tokens = (await tokenize(["true", "false"])).inputIds.map(([id]) => id);
      const probabilities: number[] = [];
      const logProbs: number[] = [];
      for (const batch of batches(texts, batchSize)) {
        const reply = await subject.ask<ReferenceRanking>("rerank", { ...(await tokenize(batch)), tokens });
        const firstOf = (pairs: Float32Array) => [...pairs].filter((_, index) => index % tokens.length === 0);
        probabilities.push(...firstOf(take(reply.probabilities)));
        logProbs.push(...firstOf(take(reply.logProbs)));
      }
      const ranked = await subject.t5().rerank(QUERY, DOCUMENTS, { batchSize });
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

    it(`embed: in batches of ${batchSize}, each padded`, async () => {
      const expected: number[] = [];
      for (const batch of batches(DOCUMENTS, batchSize)) {
        const fields = { ...(await tokenize(batch)), pooling: "mean", normalize: true };
        expected.push(...take((await subject.ask<ReferenceEmbeddings>("embed", fields)).embeddings));
      }
      const received = await subject.t5().embed(DOCUMENTS, { normalize: true, batchSize });
      assert.deepEqual([...received.shape], [DOCUMENTS.length, subject.t5().config.dModel]);
      assertSameFloats("embeddings", received.data, Float32Array.from(expected), received.shape);
    });
  }
}

function assertSameScores(subject: Subject, received: readonly TargetScore[], { logProbs }: ReferenceScores): void {
  assert.equal(received.length, logProbs.length);
  for (const [index, expected] of logProbs.entries()) {
    const found = received[index]?.logProbs ?? new Float32Array();
    const wanted = takeFloats(subject.reference(), expected);
    assertSameFloats(`log-probabilities of target ${index}`, found, wanted, expected.shape);
  }
}

function scoresOf(received: readonly TargetScore[]): Float32Array {
  return Float32Array.from(received, ({ score }) => {
    assert.ok(score !== undefined);
    assertFloat32(score, "score");
    return score;
  });
}

/** Fails unless two numbers differ by no more than float32's rounding of a softmax's few operations. */
function assertRounded(received: number, expected: number | undefined, name: string): void {
  assert.ok(expected !== undefined && Number.isFinite(expected), `no ${name}`);
  const allowed = ROUNDING * Math.max(1, Math.abs(expected));
  assert.ok(Math.abs(received - expected) <= allowed, `${name}: ${received} instead of ${expected}`);
}
