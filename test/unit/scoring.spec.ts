import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { Head, type RankedDocument, type T5ErrorCode } from "torch-t5";
import { fillTemplate } from "#lib/calls/prompt.js";
import { useModel } from "../support/model.js";

const reason = new Error("changed my mind");
const isReason = (error: unknown) => error === reason;
const throws = (): never => {
  throw reason;
};

type Wrong = readonly (readonly [promise: string, call: () => unknown, message: RegExp, code?: T5ErrorCode])[];

function itRefuses(wrong: Wrong): void {
  for (const [promise, call, message, code = "ERR_INVALID_ARGUMENT"] of wrong) {
    it(`refuses ${promise}`, () => assert.rejects(async () => call(), { name: "T5Error", code, message }));
  }
}

describe("score", () => {
  const model = useModel();
  const source = "spell number: 7";

  it("is the sum of the log-probabilities of a target's tokens, the end included", async () => {
    const [seven, eight] = await model().score(source, ["seven", "eight"]);
    assert.ok(seven && eight && seven.score > eight.score);
    assert.deepEqual(seven.ids, model().tokenizer?.encode("seven").ids);
    assert.equal(seven.logProbs.length, seven.ids.length);
    const sum = seven.logProbs.reduce((total, value) => total + value, 0);
    assert.ok(Math.abs(seven.score - sum) < 1e-5);
  });

  it("is their mean, or absent, by options.reduction", async () => {
    const [sum] = await model().score(source, ["seven"]);
    const [mean] = await model().score(source, ["seven"], { reduction: "mean" });
    const [none] = await model().score(source, ["seven"], { reduction: "none" });
    assert.ok(sum && mean && none);
    assert.ok(Math.abs(mean.score * mean.ids.length - sum.score) < 1e-5);
    assert.deepEqual(none.logProbs, sum.logProbs);
    assert.ok(!("score" in none));
  });

  it("accepts texts, rows of ids of any length, and flat ids", async () => {
    const ids = [...(model().tokenizer?.encode("seven").ids ?? [])];
    const [text] = await model().score(source, ["seven"]);
    const forms = [
      [ids],
      [Int32Array.from(ids)],
      [ids.map(BigInt)],
      { data: Int32Array.from(ids), shape: [1, ids.length] },
    ];
    for (const targets of forms) {
      const [same] = await model().score(source, targets as number[][]);
      assert.deepEqual(same, text);
    }
    const ragged = await model().score(source, [[5], [5, 6, 7]]);
    assert.deepEqual(
      ragged.map(({ logProbs }) => logProbs.length),
      [1, 3],
    );
  });

  it("leaves out the end of texts with addSpecialTokens: false, and takes ids as they are", async () => {
    const [whole] = await model().score(source, ["seven"]);
    const [word] = await model().score(source, ["seven"], { addSpecialTokens: false });
    assert.ok(whole && word);
    assert.deepEqual(word.ids, whole.ids.slice(0, -1));
    assert.deepEqual(word.logProbs, whole.logProbs.slice(0, -1));
    assert.deepEqual(await model().score(source, [word.ids], { addSpecialTokens: false }), [word]);
    assert.deepEqual(await model().score(source, ["seven"], { addSpecialTokens: true }), [whole]);
  });

  it("takes one source for all targets, or one per target", async () => {
    const paired = await model().score(["spell number: 7", "spell number: 8"], ["seven", "eight"]);
    const crossed = await model().score(["spell number: 8", "spell number: 7"], ["seven", "eight"]);
    for (const [index, { score }] of paired.entries()) assert.ok(score > (crossed[index]?.score ?? 0));
    using encoded = await model().encode(source);
    const [once, same] = [await model().score(encoded, ["seven"]), await model().score(source, ["seven"])];
    assert.deepEqual(once, same);
  });

  it("copies its arguments before it returns", async () => {
    const ids = [5, 6];
    const pending = model().score(source, [ids]);
    ids.fill(7);
    assert.deepEqual([...((await pending)[0]?.ids ?? [])], [5, 6]);
  });

  it("rejects with the signal's reason", async () => {
    await assert.rejects(model().score(source, ["a"], { signal: AbortSignal.abort(reason) }), isReason);
    const controller = new AbortController();
    const call = model().score(source, Array(500).fill("a"), { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(call, isReason);
  });

  const beyond: T5ErrorCode = "ERR_TOKEN_OUT_OF_RANGE";
  itRefuses([
    ["no targets", () => model().score(source, []), /at least one target for targets/],
    [
      "targets that aren't an array",
      () => model().score(source, "seven" as never),
      /texts or of rows of ids for targets/,
    ],
    ["a number as a target", () => model().score(source, [5 as never]), /a string or an array of ids for targets\[0\]/],
    ["an empty row", () => model().score(source, [[5], []]), /at least one element for targets\[1\]/],
    ["an id out of range", () => model().score(source, [[1e6]]), /for targets\[0\]\[0\] but received 1000000/, beyond],
    ["-100 as an id", () => model().score(source, [[-100]]), /for targets\[0\]\[0\] but received -100/, beyond],
    ["a hole", () => model().score(source, new Array(2)), /for targets\[0\] but received undefined/],
    ["too few sources", () => model().score(["a", "b"], ["a", "b", "c"]), /or 3 rows, one for each, for source .* 2/],
    ["another reduction", () => model().score(source, ["a"], { reduction: "max" as never }), /for options.reduction/],
    ["a batch of 0", () => model().score(source, ["a"], { batchSize: 0 }), /for options.batchSize but received 0/],
    ["an unknown option", () => model().score(source, ["a"], { batchsize: 1 } as never), /did you mean batchSize\?/],
    [
      "no text without its end",
      () => model().score(source, ["a", ""], { addSpecialTokens: false }),
      /a text of at least one id, as options.addSpecialTokens is false, for targets\[1\] but received ""/,
    ],
    [
      "a number for addSpecialTokens",
      () => model().score(source, ["a"], { addSpecialTokens: 1 as never }),
      /a boolean for options.addSpecialTokens/,
    ],
    ["no source", () => model().score(undefined as never, ["a"]), /for source but received undefined/],
    ["a source with a target", () => model().score({ text: "a", target: "b" } as never, ["a"]), /the names in source/],
  ]);
});

describe("rerank", () => {
  const model = useModel();
  const options = { trueToken: 5, falseToken: 6 } as const;
  const documents = ["one", "two", "three", "four", "five"];
  const indices = (ranked: readonly RankedDocument[]) => ranked.map(({ index }) => index);

  it("sorts by the probability of one token against another", async () => {
    const ranked = await model().rerank("number", documents, options);
    assert.deepEqual([...indices(ranked)].sort(), [0, 1, 2, 3, 4]);
    for (const [place, { index, document, probability, score }] of ranked.entries()) {
      assert.equal(document, documents[index]);
      assert.ok(probability <= (ranked[place - 1]?.probability ?? 1));
      assert.ok(Math.abs(Math.exp(score) - probability) < 1e-12);
      const text = `Query: number Document: ${document} Relevant:`;
      const { logits } = await model().forward(text, { tokens: [6, 5] });
      assert.ok(Math.abs((logits.softmax().data[1] ?? 0) - probability) < 1e-4);
    }
  });

  it("keeps equally relevant documents in their order", async () => {
    assert.deepEqual(indices(await model().rerank("number", Array(4).fill("same"), options)), [0, 1, 2, 3]);
  });

  it("ranks in batches, and returns the topN most relevant documents", async () => {
    const all = await model().rerank("number", documents, options);
    const some = await model().rerank("number", documents, { ...options, batchSize: 2, topN: 3 });
    assert.deepEqual(indices(some), indices(all).slice(0, 3));
  });

  it("resolves to an empty array for no documents", async () => {
    assert.deepEqual(await model().rerank("number", [], options), []);
  });

  it("takes answers as texts of one token", async () => {
    const [byText] = await model().rerank("number", ["a"], { trueToken: "seven", falseToken: "eight" });
    const id = (text: string) => model().tokenizer?.encode(text).ids[0] ?? -1;
    const [byId] = await model().rerank("number", ["a"], { trueToken: id("seven"), falseToken: id("eight") });
    assert.deepEqual(byText, byId);
  });

  it("reads iterables and async iterables, never more than a batch ahead", async () => {
    let read = 0;
    function* lazily() {
      for (const document of documents) {
        read++;
        yield document;
      }
    }
    async function* asynchronously() {
      yield* lazily();
    }
    const wanted = indices(await model().rerank("number", documents, options));
    for (const source of [lazily(), asynchronously(), new Set(documents)]) {
      assert.deepEqual(indices(await model().rerank("number", source, options)), wanted);
    }
    read = 0;
    const seen: number[] = [];
    const template = (query: string, document: string) => {
      seen.push(read);
      return query + document;
    };
    await model().rerank("number", lazily(), { ...options, batchSize: 2, template });
    assert.deepEqual(seen, [2, 2, 4, 4, 5]);
  });

  it("fills a template in one pass", () => {
    const fill = (...given: Parameters<typeof fillTemplate>) => fillTemplate(...given).text;
    assert.equal(fill("{query} {document}", "{document}", ["{query} $& $1"]), "{document} {query} $& $1");
    assert.equal(fill("{document}{query}{document}{other}", "q", ["d"]), "dqd{other}");
    assert.equal(fill("{document1}{query}{document0}{document}", "q", ["{query}", "d"]), "dq{query}{document}");
  });

  it("copies an array of documents before it returns", async () => {
    const given = ["one", "two"];
    const pending = model().rerank("number", given, options);
    given.fill("x");
    assert.deepEqual((await pending).map(({ document }) => document).sort(), ["one", "two"]);
  });

  const iterable = (next: () => unknown) => {
    const closed: string[] = [];
    const iterator = {
      next,
      return: () => {
        closed.push("closed");
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return { source: iterator as unknown as AsyncIterable<string>, closed };
  };

  it("closes an iterator that it doesn't read to its end", async () => {
    const wrong = iterable(() => ({ done: false, value: 5 }));
    await assert.rejects(model().rerank("number", wrong.source, options), /a string for documents\[0\] but received 5/);
    assert.deepEqual(wrong.closed, ["closed"]);
    const endless = iterable(() => ({ done: false, value: "a" }));
    const template = throws;
    await assert.rejects(model().rerank("number", endless.source, { ...options, template }), isReason);
    assert.deepEqual(endless.closed, ["closed"]);
    const ended = iterable(() => ({ done: true, value: undefined }));
    await model().rerank("number", ended.source, options);
    assert.deepEqual(ended.closed, []);
  });

  it("rejects with what the iterator throws", async () => {
    await assert.rejects(model().rerank("number", iterable(throws).source, options), isReason);
    const rejecting = iterable(() => Promise.reject(reason));
    await assert.rejects(model().rerank("number", rejecting.source, options), isReason);
  });

  it("rejects with the signal's reason, even while an iterator never settles", async () => {
    const already = model().rerank("number", documents, { ...options, signal: AbortSignal.abort(reason) });
    await assert.rejects(already, isReason);
    const controller = new AbortController();
    const { signal } = controller;
    const silent = iterable(() => new Promise(() => {}));
    const call = model().rerank("number", silent.source, { ...options, signal });
    controller.abort(reason);
    await assert.rejects(call, isReason);
    assert.deepEqual(silent.closed, ["closed"]);
    await new Promise(setImmediate);
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });

  it("rejects with the signal's reason if the iterator itself aborts it and never settles", async () => {
    for (const pairwise of [false, true]) {
      const controller = new AbortController();
      const { signal } = controller;
      const aborting = iterable(() => {
        controller.abort(reason);
        return new Promise(() => {});
      });
      await assert.rejects(model().rerank("number", aborting.source, { ...options, pairwise, signal }), isReason);
      assert.deepEqual(aborting.closed, ["closed"]);
      assert.equal(getEventListeners(signal, "abort").length, 0);
    }
  });

  it("refuses a wrong element of an array before anything runs", async () => {
    const template = () => assert.fail("no prompt must be made");
    const call = model().rerank("number", ["a", 5 as never], { ...options, template });
    await assert.rejects(call, { code: "ERR_INVALID_ARGUMENT", message: /a string for documents\[1\] but received 5/ });
  });

  const beyond: T5ErrorCode = "ERR_TOKEN_OUT_OF_RANGE";
  itRefuses([
    ["a query that isn't a text", () => model().rerank(5 as never, [], options), /a string for query but received 5/],
    [
      "one text as documents",
      () => model().rerank("a", "text", options),
      /iterable of strings for documents .* "text"/,
    ],
    ["nothing as documents", () => model().rerank("a", null as never, options), /for documents but received null/],
    ["an object as documents", () => model().rerank("a", {} as never, options), /for documents but received an object/],
    ["a hole in the documents", () => model().rerank("a", new Array(1), options), /documents\[0\] but received undef/],
    [
      "a template without names",
      () => model().rerank("a", [], { ...options, template: "{query}" }),
      /options.template/,
    ],
    [
      "a template that isn't one",
      () => model().rerank("a", [], { ...options, template: 5 as never }),
      /options.template/,
    ],
    [
      "a template that makes no text",
      () => model().rerank("a", ["b", "c"], { ...options, template: (() => 5) as never }),
      /a string for the prompt of documents\[0\] but received 5/,
    ],
    [
      "a token of many",
      () => model().rerank("a", [], { trueToken: "seven eight" }),
      /a text of one token, not of 2 \("▁seven", "▁eight"\), for options.trueToken/,
    ],
    ["an empty token", () => model().rerank("a", [], { ...options, trueToken: "" }), /for options.trueToken/],
    [
      "a token out of range",
      () => model().rerank("a", [], { ...options, falseToken: 1e6 }),
      /options.falseToken/,
      beyond,
    ],
    ["a fraction as a token", () => model().rerank("a", [], { ...options, falseToken: 1.5 }), /for options.falseToken/],
    [
      "the same tokens",
      () => model().rerank("a", [], { trueToken: 5, falseToken: 5 }),
      /another token than falseToken/,
    ],
    ["topN of 0", () => model().rerank("a", [], { ...options, topN: 0 }), /for options.topN but received 0/],
    ["a batch of 0", () => model().rerank("a", [], { ...options, batchSize: 0 }), /for options.batchSize/],
    ["an unknown option", () => model().rerank("a", [], { topn: 1 } as never), /did you mean topN\?/],
  ]);
});

describe("embed", () => {
  const model = useModel();
  const texts = ["spell number: 7", "seven", "a", "spell number: 48213", "b"];

  it("resolves to one vector per text for any batch size", async () => {
    const { dModel } = model().config;
    const all = await model().embed(texts);
    assert.deepEqual(all.shape, [5, dModel]);
    const some = await model().embed(texts, { batchSize: 2 });
    assert.deepEqual(some.shape, [5, dModel]);
    for (const [index, value] of some.data.entries()) assert.ok(Math.abs(value - (all.data[index] ?? 0)) < 1e-4);
    assert.deepEqual((await model().embed("a")).shape, [1, dModel]);
  });

  it("pools over the positions whose mask is 1, or takes the first position", async () => {
    const { encoderLastHiddenState } = await model().forward(texts[0] ?? "", { hiddenStates: true });
    const [, length = 0, dModel = 0] = encoderLastHiddenState.shape;
    const first = await model().embed(texts[0] ?? "", { pooling: "first" });
    assert.deepEqual(first.row(0), encoderLastHiddenState.row(0, 0));
    const mean = await model().embed(texts[0] ?? "");
    for (let axis = 0; axis < dModel; axis++) {
      let sum = 0;
      for (let position = 0; position < length; position++) sum += encoderLastHiddenState.row(0, position)[axis] ?? 0;
      assert.ok(Math.abs(sum / length - (mean.data[axis] ?? 0)) < 1e-5);
    }
  });

  it("scales vectors to length 1 with normalize", async () => {
    const { data } = await model().embed("a", { normalize: true });
    assert.ok(Math.abs(data.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5);
  });

  it("accepts ids, in batches too, and an encoder output", async () => {
    const encoding = model().tokenizer?.encodeBatch(texts);
    assert.ok(encoding);
    const wanted = await model().embed(texts);
    assert.deepEqual(await model().embed(encoding), wanted);
    const some = await model().embed(encoding, { batchSize: 2 });
    for (const [index, value] of some.data.entries()) assert.ok(Math.abs(value - (wanted.data[index] ?? 0)) < 1e-4);
    using encoded = await model().encode(texts);
    assert.deepEqual((await model().embed(encoded)).data, wanted.data);
  });

  it("rejects with the signal's reason", async () => {
    await assert.rejects(model().embed("a", { signal: AbortSignal.abort(reason) }), isReason);
    const controller = new AbortController();
    const call = model().embed(Array(200).fill("a"), { batchSize: 1, signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await assert.rejects(call, isReason);
  });

  itRefuses([
    ["no texts", () => model().embed([]), /at least one text for text/],
    [
      "a wrong text far behind",
      () => model().embed([...Array(40).fill("a"), 5]),
      /a string for text\[40\] but received 5/,
    ],
    [
      "another pooling",
      () => model().embed("a", { pooling: "median" as never }),
      /"mean", "first", .* or "lasttoken" for options.pooling but received "median"/,
    ],
    ["no pooling", () => model().embed("a", { pooling: [] }), /at least one pooling for options.pooling/],
    [
      "another pooling among several",
      () => model().embed("a", { pooling: ["mean", "sum" as never] }),
      /for options.pooling\[1\] but received "sum"/,
    ],
    [
      "dense modules that the model lacks",
      () => model().embed("a", { dense: true }),
      /false or nothing for options.dense but received true, but the model has no dense modules/,
    ],
    ["a prompt that is no text", () => model().embed("a", { prompt: 5 as never }), /a string for options.prompt .* 5/],
    [
      "a prompt's name, as the model has none",
      () => model().embed("a", { promptName: "query" }),
      /nothing, as the model has no prompts, for options.promptName but received "query"/,
    ],
    [
      "a prompt and a prompt's name",
      () => model().embed("a", { prompt: "", promptName: "query" }),
      /nothing, as options.prompt is given, for options.promptName/,
    ],
    [
      "a prompt for ids",
      () => model().embed({ inputIds: [[1]] }, { prompt: "a" }),
      /texts, as a prompt is given, for source/,
    ],
    [
      "normalize of another type",
      () => model().embed("a", { normalize: 1 as never }),
      /a boolean for options.normalize/,
    ],
    ["a batch of 0", () => model().embed("a", { batchSize: 0 }), /for options.batchSize but received 0/],
    ["an unknown option", () => model().embed("a", { normalise: true } as never), /did you mean normalize\?/],
    [
      "text and ids",
      () => model().embed({ text: ["a", "b"], inputIds: [[1]] } as never, { batchSize: 1 }),
      /only one of/,
    ],
  ]);
});

describe("encode and loadHead", () => {
  const model = useModel();

  it("reject with the signal's reason", async () => {
    const signal = AbortSignal.abort(reason);
    await assert.rejects(model().encode("a", { signal }), isReason);
    await assert.rejects(model().loadHead("head.pt", { signal }), isReason);
    const controller = new AbortController();
    const call = model().encode("a", { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(call, isReason);
  });

  itRefuses([
    ["nothing to encode", () => model().encode(undefined as never), /for source but received undefined/],
    ["a target to encode", () => model().encode({ text: "a", target: "b" } as never), /the names in source .*"target"/],
    ["options that aren't any", () => model().encode("a", 5 as never), /an object for options but received 5/],
    ["an unknown option", () => model().encode("a", { sigal: 1 } as never), /did you mean signal\?/],
    ["an empty path", () => model().loadHead(""), /a path or a file: URL for path/],
    ["another URL", () => model().loadHead(new URL("http://a/head.pt")), /for path but received "http:\/\/a\/head.pt"/],
    ["no such head", () => model().loadHead("/no/head.pt"), /a TorchScript file for path but/, "ERR_MODEL_NOT_FOUND"],
    ["a head that isn't one", () => model().forward("a", { head: {} as never }), /a Head .* for options.head/],
    [
      "a head made by hand",
      () => model().forward("a", { head: Object.create(Head.prototype) as Head }),
      /a Head .* for options.head/,
    ],
  ]);
});
