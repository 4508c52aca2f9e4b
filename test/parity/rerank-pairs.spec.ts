import assert from "node:assert/strict";
import type { RankedDocument } from "torch-t5";
import { EMBEDDED } from "./models.js";
import { useSubject } from "./subject.js";

const THREADS = 1;
const QUERY = "doctor of Thornby";
const DOCUMENTS = [
  "In Thornby the flag is brown. Its market day is Friday.",
  "Jorwick's population is 9191. Its doctor is Pavel.",
  "In Thornby the flag is brown. Its doctor is Mona.",
  "x",
  "Thornby has a doctor.",
];
const BATCH_SIZES = [32, 3, 1];
/**
 * Each of the 8 probabilities of a sum is rounded to float32 by torch, which computes the softmax in float32: torch-t5
 * computes it in float64.
 */
const TOLERANCE = 1e-6;
const ANSWERS: readonly (readonly [falseToken: string, trueToken: string])[] = [
  ["▁false", "▁true"],
  ["▁", "▁true"],
  ["▁seven", "</s>"],
];

describe("documents are compared in pairs as by duoT5", () => {
  const subject = useSubject(EMBEDDED, "exact", THREADS);
  for (const [falseToken, trueToken] of ANSWERS) {
    for (const batchSize of BATCH_SIZES) {
      it(`${trueToken} against ${falseToken}, ${batchSize} pairs at once`, async () => {
        const request = { query: QUERY, documents: DOCUMENTS, tokens: [falseToken, trueToken], batchSize };
        const { scores } = await subject.ask<{ scores: number[] }>("rerankPairs", request);
        const options = { pairwise: true, falseToken, trueToken, batchSize };
        const ranked = await subject.t5().rerank(QUERY, DOCUMENTS, options);
        assertScores(ranked, scores);
      });
    }
  }
});

function assertScores(ranked: readonly RankedDocument[], scores: readonly number[]): void {
  assert.equal(ranked.length, scores.length);
  for (const [place, { index, score, probability, document }] of ranked.entries()) {
    const expected = scores[index] ?? Number.NaN;
    assert.ok(Math.abs(score - expected) <= TOLERANCE, `document ${index}: ${score} instead of ${expected}`);
    assert.ok(Math.abs(probability - score / (2 * (scores.length - 1))) < Number.EPSILON);
    assert.equal(document, DOCUMENTS[index]);
    assert.ok(score <= (ranked[place - 1]?.score ?? Number.POSITIVE_INFINITY), "the best document comes first");
  }
}
