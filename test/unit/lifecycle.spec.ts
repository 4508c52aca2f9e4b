import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { useModel } from "../support/model.js";

const short = { inputIds: [[5, 6, 7, 1]] };
const long = {
  inputIds: Array.from({ length: 16 }, () => Array.from({ length: 300 }, (_, index) => 3 + (index % 50))),
  decoderInputIds: Array.from({ length: 16 }, () => Array.from({ length: 32 }, (_, index) => 3 + (index % 50))),
};
const load = (options = {}) =>
  T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1, ...options });

describe("an abort signal", () => {
  const model = useModel();

  it("that is aborted before the call rejects it with its reason", async () => {
    const reason = new Error("changed my mind");
    await assert.rejects(model().forward(short, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
  });

  it("rejects with its reason of any type", async () => {
    for (const reason of [null, 0, "text", Symbol("s")]) {
      const signal = AbortSignal.abort(reason);
      assert.deepEqual(
        await model()
          .forward(short, { signal })
          .catch((error: unknown) => [error]),
        [reason],
      );
    }
  });

  it("ends a running call and a waiting one, and the model stays usable", async () => {
    const controller = new AbortController();
    const calls = [long, long, long].map((input) => model().forward(input, { signal: controller.signal }));
    const unaffected = model().forward(short);
    await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    for (const call of calls) await assert.rejects(call, { name: "AbortError" });
    assert.equal((await unaffected).logits.shape[0], 1);
  });

  it("of a timeout rejects with a TimeoutError", async () => {
    await assert.rejects(model().forward(long, { signal: AbortSignal.timeout(1) }), { name: "TimeoutError" });
  });

  it("shared by many calls has one listener for all of them, and none after them", async () => {
    const { signal } = new AbortController();
    const calls = Array.from({ length: 20 }, () => model().forward(short, { signal }));
    assert.equal(getEventListeners(signal, "abort").length, 1);
    await Promise.all(calls);
    await new Promise(setImmediate);
    assert.equal(getEventListeners(signal, "abort").length, 0);
    await model().forward(short, { signal });
  });

  it("that aborts after the call changes nothing", async () => {
    const controller = new AbortController();
    const { logits } = await model().forward(short, { signal: controller.signal });
    controller.abort();
    assert.ok(logits.data.length > 0);
  });
});

describe("a queue with a limit", () => {
  it("refuses a call over the limit, and serves the others", async () => {
    const t5 = await load({ maxQueueLength: 2 });
    const calls = Array.from({ length: 6 }, () => t5.forward(long));
    const outcomes = await Promise.allSettled(calls);
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.ok(refused.length >= 3);
    for (const { reason } of refused) {
      assert.equal(reason.code, "ERR_QUEUE_FULL");
      assert.match(reason.stack, /lifecycle\.spec\.ts/);
    }
    await t5.forward(short);
    await t5.dispose();
  });
});

describe("dispose", () => {
  it("serves calls made before it, refuses later ones, and may be called again", async () => {
    const t5 = await load();
    const accepted = t5.forward(short);
    const disposed = t5.dispose();
    await assert.rejects(t5.forward(short), { name: "T5Error", code: "ERR_DISPOSED" });
    assert.equal((await accepted).logits.shape[0], 1);
    await disposed;
    await t5.dispose();
    await assert.rejects(t5.forward(short), { code: "ERR_DISPOSED" });
  });

  it("doesn't change results", async () => {
    const t5 = await load();
    const { logits } = await t5.forward(short);
    const before = [...logits.data];
    await t5[Symbol.asyncDispose]();
    assert.deepEqual([...logits.data], before);
  });
});

describe("the package", () => {
  it("can be required", () => {
    const required = createRequire(import.meta.url)("torch-t5");
    assert.equal(required.T5ForConditionalGeneration, T5ForConditionalGeneration);
  });

  it("loads a directory given as a file: URL", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(pathToFileURL(demoModel), { device: "cpu" });
    assert.equal(t5.device, "cpu");
    assert.equal(t5.precision, "exact");
    await t5.dispose();
  });
});
