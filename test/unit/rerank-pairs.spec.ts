import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RankedDocument, T5ForConditionalGeneration } from "torch-t5";
import { updateManifest, withModelCopy } from "../support/directory.js";
import { useModel } from "../support/model.js";

const reason = new Error("changed my mind");
const isReason = (error: unknown) => error === reason;
const QUERY = "doctor of Thornby";
const DOCUMENTS = [
  "In Thornby the flag is brown. Its market day is Friday.",
  "Its doctor is Pavel.",
  "In Thornby the doctor is Mona.",
];
const indices = (ranked: readonly RankedDocument[]) => ranked.map(({ index }) => index);

describe("rerank with pairwise", () => {
  // Of float32, the bits of a row do not depend on its batch.
  const model = useModel({ precision: "float32" });

  it("sums the probabilities of both orders of every pair", async () => {
    const ranked = await model().rerank(QUERY, DOCUMENTS, { pairwise: true });
    const tokens = ["▁false", "▁true"].map((piece) => model().tokenizer?.tokenToId(piece) ?? -1);
    const sums = DOCUMENTS.map(() => 0);
    for (const [first, one] of DOCUMENTS.entries()) {
      for (const [second, other] of DOCUMENTS.entries()) {
        if (first === second) continue;
        const prompt = `Query: ${QUERY} Document0: ${one} Document1: ${other} Relevant:`;
        const { logits } = await model().forward(prompt, { tokens });
        const [, probability = Number.NaN] = logits.softmax().data;
        sums[first] = (sums[first] ?? 0) + probability;
        sums[second] = (sums[second] ?? 0) + 1 - probability;
      }
    }
    assert.equal(ranked.length, DOCUMENTS.length);
    for (const [place, { index, score, probability, document, ...others }] of ranked.entries()) {
      assert.ok(Math.abs(score - (sums[index] ?? 0)) < 1e-6, "four probabilities, each rounded to float32");
      assert.equal(probability, score / 4);
      assert.equal(document, DOCUMENTS[index]);
      assert.deepEqual(others, {});
      assert.ok(score <= (ranked[place - 1]?.score ?? 4));
    }
    const total = ranked.reduce((sum, { score }) => sum + score, 0);
    assert.ok(Math.abs(total - 6) < 1e-9, "each of the 6 pairs gives 1 in all");
  });

  it("does not depend on the number of pairs at once, and returns the topN", async () => {
    const all = await model().rerank(QUERY, DOCUMENTS, { pairwise: true });
    for (const batchSize of [1, 4, 1000]) {
      assert.deepEqual(await model().rerank(QUERY, DOCUMENTS, { pairwise: true, batchSize }), all);
    }
    const some = await model().rerank(QUERY, DOCUMENTS, { pairwise: true, topN: 2 });
    assert.deepEqual(some, all.slice(0, 2));
  });

  it("keeps equal documents in their order, with the same score", async () => {
    const [first = "", second = ""] = DOCUMENTS;
    const given = [first, second, first, second, first, second, first];
    for (const batchSize of [32, 5]) {
      const ranked = await model().rerank(QUERY, given, { pairwise: true, batchSize });
      const scores = new Set(ranked.map(({ score }) => score));
      assert.equal(scores.size, 2);
      for (const document of [first, second]) {
        const own = ranked.filter((found) => found.document === document).map(({ index }) => index);
        assert.deepEqual(
          own,
          own.toSorted((a, b) => a - b),
        );
      }
    }
  });

  it("resolves to no document for none, and for one to an even chance without running the model", async () => {
    const template = () => assert.fail("no prompt must be made");
    assert.deepEqual(await model().rerank(QUERY, [], { pairwise: true, template }), []);
    assert.deepEqual(await model().rerank(QUERY, ["a"], { pairwise: true, template }), [
      { index: 0, probability: 0.5, score: 0, document: "a" },
    ]);
    const [alone] = await model().rerank(QUERY, ["a"], { pairwise: true, template, maxLength: 100 });
    assert.equal(alone?.truncated, false);
  });

  it("reads iterables and async iterables to their end first", async () => {
    async function* asynchronously() {
      yield* DOCUMENTS;
    }
    const wanted = await model().rerank(QUERY, DOCUMENTS, { pairwise: true });
    for (const source of [asynchronously(), new Set(DOCUMENTS)]) {
      assert.deepEqual(await model().rerank(QUERY, source, { pairwise: true, batchSize: 2 }), wanted);
    }
  });

  it("takes a template with {document0} and {document1}, or a function of three texts", async () => {
    const wanted = await model().rerank(QUERY, DOCUMENTS, { pairwise: true });
    const prompts: string[] = [];
    const template = (...[query, first, second]: readonly string[]) => {
      const prompt = `Query: ${query} Document0: ${first} Document1: ${second} Relevant:`;
      prompts.push(prompt);
      return prompt;
    };
    assert.deepEqual(await model().rerank(QUERY, DOCUMENTS, { pairwise: true, template }), wanted);
    assert.deepEqual([prompts.length, new Set(prompts).size], [6, 6]);
    const text = "Query: {query} Document0: {document0} Document1: {document1} Relevant:";
    assert.deepEqual(await model().rerank(QUERY, DOCUMENTS, { pairwise: true, template: text }), wanted);
    const message = /{query}, {document0} and {document1}, or a function for options.template/;
    for (const wrong of ["{query} {document}", "{query} {document0}", 5, ""]) {
      const options = { pairwise: true, template: wrong as string };
      await assert.rejects(model().rerank(QUERY, [], options), { code: "ERR_INVALID_ARGUMENT", message });
    }
    await assert.rejects(
      model().rerank(QUERY, DOCUMENTS, { pairwise: true, template: (() => undefined) as never }),
      /a string for the prompt of documents\[0\] and documents\[1\] but received undefined/,
    );
  });

  it("rejects with the signal's reason between batches, and with what a template throws", async () => {
    const controller = new AbortController();
    let prompts = 0;
    const template = () => {
      if (++prompts === 3) controller.abort(reason);
      return "prompt";
    };
    const options = { pairwise: true, batchSize: 1, template, signal: controller.signal };
    await assert.rejects(model().rerank(QUERY, Array(50).fill("a"), options), isReason);
    assert.equal(prompts, 3);
    const throwing = () => {
      throw reason;
    };
    await assert.rejects(model().rerank(QUERY, DOCUMENTS, { pairwise: true, template: throwing }), isReason);
    assert.equal((await model().rerank(QUERY, DOCUMENTS, { pairwise: true })).length, 3, "the model keeps serving");
  });

  it("refuses more documents than there can be pairs of, and closes their iterator", async () => {
    let isClosed = false;
    function* endless() {
      try {
        for (;;) yield "a";
      } finally {
        isClosed = true;
      }
    }
    const message = "Expected at most 46341 documents, as options.pairwise is true, for documents but received more";
    await assert.rejects(model().rerank(QUERY, endless(), { pairwise: true }), {
      code: "ERR_INVALID_ARGUMENT",
      message,
    });
    assert.ok(isClosed);
  });

  it("refuses another value than true or false", async () => {
    for (const pairwise of [1, "yes", null]) {
      const call = model().rerank(QUERY, [], { pairwise: pairwise as never });
      await assert.rejects(call, { code: "ERR_INVALID_ARGUMENT", message: /a boolean for options.pairwise/ });
    }
  });
});

describe("the answers of rerank", () => {
  const model = useModel();
  const id = (piece: string) => model().tokenizer?.tokenToId(piece) ?? -1;
  const score = async (trueToken: string | number, falseToken: string | number, t5 = model()) =>
    (await t5.rerank(QUERY, DOCUMENTS, { trueToken, falseToken })).map((found) => [found.index, found.score]);

  it("are the pieces that are named, the one of a space alone included", async () => {
    assert.deepEqual(await score("▁true", "▁"), await score(id("▁true"), id("▁")));
    assert.deepEqual(await score("▁true", "▁false"), await score("true", "false"));
    assert.notDeepEqual(await score("▁true", "▁"), await score("▁true", "▁false"));
  });

  it("are never other ids: a name that is no piece is refused, and so is a text of several", async () => {
    const wrong: readonly (readonly [token: string, message: RegExp])[] = [
      ["▁nosuchpiece", /a piece of the vocabulary for options.trueToken but received "▁nosuchpiece"/],
      ["▁▁", /a piece of the vocabulary for options.trueToken/],
      ["seven eight", /not of 2 \("▁seven", "▁eight"\), for options.trueToken but received "seven eight"/],
      ["a b c d e f", /not of \d+ \("▁", "a", .*\.\.\.\), for options.trueToken/],
      ["", /a text of one token, not of 0, for options.trueToken but received ""/],
    ];
    for (const [token, message] of wrong) {
      await assert.rejects(score(token, "false"), { code: "ERR_INVALID_ARGUMENT", message });
    }
    await assert.rejects(score("▁true", "true"), /another token than falseToken/);
  });

  it("are found in other languages, and where the tokenizer rewrites a text", () =>
    withModelCopy(async (directory) => {
      const path = join(directory, "tokenizer.json");
      const file = JSON.parse(readFileSync(path, "utf8"));
      const vocab: [string, number][] = file.model.vocab;
      const rename = (from: string, to: string) => {
        const found = vocab.find(([piece]) => piece === from);
        assert.ok(found);
        found[0] = to;
      };
      rename("▁seven", "▁sim");
      rename("▁eight", "▁não");
      // A text "▁" is read as "sim" here, so that only the name finds the piece.
      file.normalizer = { type: "Replace", pattern: { String: "▁" }, content: "sim" };
      writeFileSync(path, JSON.stringify(file));
      updateManifest(directory, "tokenizer.json");
      await using t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: 1 });
      const [sim = -1, space = -1, no = -1] = ["▁sim", "▁", "▁não"].map((piece) => t5.tokenizer?.tokenToId(piece));
      assert.deepEqual([...(t5.tokenizer?.encode("▁").ids ?? [])], [sim, t5.config.eosTokenId]);
      assert.deepEqual(await score("sim", "não", t5), await score(sim, no, t5));
      assert.deepEqual(await score("▁sim", "▁não", t5), await score(sim, no, t5));
      assert.deepEqual(await score("▁sim", "▁", t5), await score(sim, space, t5));
    }));

  it("order documents that are all as relevant as can be", async () => {
    assert.deepEqual(indices(await model().rerank("a", Array(3).fill("b"), { trueToken: "▁" })), [0, 1, 2]);
  });
});
