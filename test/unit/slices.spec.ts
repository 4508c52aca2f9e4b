// Calls whose texts are tokenized in time slices: their order, their copies of the arguments, and how they end.
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { demoModel, T5ForConditionalGeneration, T5Tokenizer } from "torch-t5";
import { runSliced } from "#lib/util/slices.js";
import { useModel } from "../support/model.js";

/** More than the longest text has. */
const MAX_INPUT_TOKENS = 2 ** 20;
/** Tokenizing it takes many time slices. */
const LONG = "spell number: 48213 and ninety ".repeat(32_000);
/** Tokenizing them takes several time slices. */
const MANY = Array.from({ length: 3000 }, (_, index) => `spell number: ${index} and ${7 * index}`);
const SHORT = "spell number: 7";
const load = (options = {}) =>
  T5ForConditionalGeneration.fromPretrained(demoModel, {
    device: "cpu",
    intraOpThreads: 1,
    maxInputTokens: MAX_INPUT_TOKENS,
    ...options,
  });

/** The names of calls in the order in which they settle. */
async function settled(calls: Readonly<Record<string, Promise<unknown>>>): Promise<readonly string[]> {
  const order: string[] = [];
  const note = (name: string) => () => order.push(name);
  await Promise.all(Object.entries(calls).map(([name, call]) => call.then(note(name), note(name))));
  return order;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Work of so many time slices. */
function* sliced(slices: number): Generator<undefined, void, undefined> {
  for (let slice = 1; slice < slices; slice++) {
    const end = performance.now() + 1;
    while (performance.now() < end);
    yield;
  }
}

describe("work in slices", () => {
  it("of a few slices does not wait for longer work, which runs one after another", async () => {
    const order = await settled({
      first: runSliced(sliced(40)),
      second: runSliced(sliced(20)),
      few: runSliced(sliced(4)),
    });
    assert.deepEqual(order, ["few", "first", "second"]);
  });
});

describe("texts that are tokenized in slices", () => {
  const model = useModel({ maxInputTokens: MAX_INPUT_TOKENS });

  it("leave the event loop free", async () => {
    const t5 = model();
    const refused = () => assert.rejects(t5.forward(LONG), { code: "ERR_OUT_OF_MEMORY" });
    const truncated = () => t5.rerank(SHORT, [LONG], { maxLength: 64, trueToken: 5, falseToken: 6 });
    for (const call of [refused, truncated]) {
      let turns = 0;
      let isDone = false;
      const count = () => {
        turns++;
        if (!isDone) setImmediate(count);
      };
      const pending = call();
      setImmediate(count);
      await pending;
      isDone = true;
      assert.ok(turns >= 5, `${turns} turns`);
    }
  });

  it("have the ids of texts that are tokenized at once, whatever is tokenized meanwhile", async () => {
    const tokenizer = await T5Tokenizer.fromPretrained(demoModel);
    const texts = [LONG, "x".repeat(200_000), "\u2603".repeat(100_000), "</s>a ".repeat(50_000), " ".repeat(300_000)];
    const expected = texts.map((text) => tokenizer.encodeBatch([text]));
    const pending = texts.map((text) => tokenizer.encodeBatchAsync([text]));
    const short = tokenizer.encode(SHORT).ids;
    await turn();
    assert.deepEqual(tokenizer.encode(SHORT).ids, short);
    assert.deepEqual(await Promise.all(pending), expected);
    assert.deepEqual(await tokenizer.encodeBatchAsync(MANY), tokenizer.encodeBatch(MANY));
  });

  it("do not hold up calls whose inputs are ready", async () => {
    const t5 = model();
    const encoded = await t5.encode(SHORT);
    const session = encoded.startDecoding();
    let isPrepared = false;
    const refused = assert.rejects(t5.forward(LONG), { code: "ERR_OUT_OF_MEMORY" }).then(() => {
      isPrepared = true;
    });
    const start = [[t5.config.decoderStartTokenId]];
    const [{ logits }] = await Promise.all([t5.forward(SHORT), session.step(start)]);
    assert.deepEqual(logits.shape, [1, 1, t5.config.vocabSize]);
    assert.equal(session.position, 1);
    assert.equal(isPrepared, false);
    await refused;
    session.dispose();
    encoded.dispose();
  });

  it("are copied before the call returns, as everything else is", async () => {
    const t5 = model();
    const texts = MANY.slice(0, 1500);
    const target = texts.map(() => "seven");
    const positions = [0, 1];
    const tokens = [5, 6];
    const source = { text: texts, target };
    const expected = await t5.forward({ text: [...texts], target: [...target] }, { positions: [0, 1], tokens: [5, 6] });
    const call = t5.forward(source, { positions, tokens });
    texts.fill("other");
    target.length = 0;
    positions.fill(2);
    tokens.fill(9);
    const { logits } = await call;
    assert.deepEqual(logits.shape, expected.logits.shape);
    assert.ok(Buffer.from(logits.data.buffer).equals(Buffer.from(expected.logits.data.buffer)));
    const targets: (string | number[])[] = [...MANY, [5, 6, 7]];
    const scoring = t5.score(SHORT, targets as readonly string[]);
    targets.fill("other");
    const scores = await scoring;
    assert.equal(scores.length, MANY.length + 1);
    assert.deepEqual([...(scores.at(-1)?.ids ?? [])], [5, 6, 7]);
    assert.deepEqual(scores[2999]?.ids, t5.tokenizer?.encode(MANY[2999] ?? "").ids);
  });

  it("give embed and score the results of small calls", async () => {
    const t5 = model();
    const all = await t5.embed(MANY, { batchSize: 1000 });
    assert.deepEqual(all.shape, [MANY.length, t5.config.dModel]);
    const part = await t5.embed(MANY.slice(2000), { batchSize: 1000 });
    assert.deepEqual(all.data.subarray(2000 * t5.config.dModel), part.data);
    const scores = await t5.score(SHORT, MANY);
    const last = await t5.score(SHORT, MANY.slice(-24));
    assert.deepEqual(scores.at(-1)?.ids, last.at(-1)?.ids);
  });

  it("end with an abort between two slices, and the calls after them run", async () => {
    const t5 = model();
    const reason = new Error("changed my mind");
    for (const make of [
      (signal: AbortSignal) => t5.forward(LONG, { signal }),
      (signal: AbortSignal) => t5.encode(LONG, { signal }),
      (signal: AbortSignal) => t5.embed([LONG], { signal }),
      (signal: AbortSignal) => t5.generate(LONG, { signal }),
      (signal: AbortSignal) => t5.stream(LONG, { signal }).next(),
      (signal: AbortSignal) => t5.score(LONG, MANY, { signal }),
      (signal: AbortSignal) => t5.rerank(LONG, MANY, { signal, trueToken: 5, falseToken: 6 }),
      (signal: AbortSignal) => t5.rerank(SHORT, [LONG], { signal, maxLength: 64, trueToken: 5, falseToken: 6 }),
    ]) {
      const controller = new AbortController();
      const call = make(controller.signal);
      const after = t5.forward(SHORT);
      await turn();
      controller.abort(reason);
      await assert.rejects(call, (error) => error === reason);
      assert.equal((await after).logits.shape[0], 1);
    }
  });

  it("let calls made after them end with an abort", async () => {
    const t5 = model();
    const controller = new AbortController();
    const scoring = t5.score(SHORT, MANY);
    const forward = t5.forward(SHORT, { signal: controller.signal });
    controller.abort();
    await assert.rejects(forward, { name: "AbortError" });
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
    assert.equal((await scoring).length, MANY.length);
  });

  it("reject their own call alone if a late one is wrong", async () => {
    const t5 = model();
    const wrong = [...MANY, 7] as unknown as readonly string[];
    const calls = [t5.embed(wrong), t5.forward(SHORT), t5.encode(wrong)];
    const [embedding, forward, encoding] = await Promise.allSettled(calls);
    assert.equal(forward?.status, "fulfilled");
    for (const outcome of [embedding, encoding]) {
      assert.ok(outcome?.status === "rejected");
      assert.equal(outcome.reason.code, "ERR_INVALID_ARGUMENT");
      assert.match(outcome.reason.message, /Expected a string for text\[3000\] but received 7/);
      assert.match(outcome.reason.stack, /slices\.spec\.ts/);
    }
  });
});

describe("dispose while texts are tokenized in slices", () => {
  it("of the model settles every call made before", async () => {
    const t5 = await load();
    const calls = [t5.score(SHORT, MANY), t5.forward(SHORT), t5.forward(LONG), t5.embed(SHORT)];
    const disposed = t5.dispose();
    await assert.rejects(t5.forward(SHORT), { code: "ERR_DISPOSED" });
    const outcomes = await Promise.allSettled(calls);
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason.code : "done")),
      ["done", "done", "ERR_OUT_OF_MEMORY", "done"],
    );
    await disposed;
  });

  it("of an encoder output, of a session and of a stream is after the calls made before", async () => {
    const t5 = await load();
    const encoded = await t5.encode(SHORT);
    const session = encoded.startDecoding();
    const scoring = t5.score(encoded, MANY);
    const step = session.step([[0]]);
    const stream = t5.stream(LONG);
    const next = stream.next();
    session.dispose();
    encoded.dispose();
    await turn();
    await stream.return();
    assert.deepEqual(await next, { done: true, value: undefined });
    assert.equal((await scoring).length, MANY.length);
    assert.equal((await step).logits.shape[0], 1);
    await assert.rejects(t5.score(encoded, [SHORT]), { code: "ERR_DISPOSED" });
    await t5.dispose();
  });
});

describe("a queue with a limit, while texts are tokenized in slices,", () => {
  it("refuses a call over the limit at once", async () => {
    const t5 = await load({ maxQueueLength: 2 });
    const scorings = [t5.score(SHORT, MANY), t5.score(SHORT, MANY)];
    const refused = assert.rejects(t5.score(SHORT, MANY), (error: Error & { readonly code?: string }) => {
      assert.equal(error.code, "ERR_QUEUE_FULL");
      assert.match(error.stack ?? "", /slices\.spec\.ts/);
      return true;
    });
    const scoring = Promise.all(scorings);
    assert.deepEqual(await settled({ scoring, refused }), ["refused", "scoring"]);
    await Promise.all([scoring, refused]);
    await t5.dispose();
  });
});
