import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { demoModel, REQUEST_CHANNEL, type RequestEvent, T5ForConditionalGeneration } from "torch-t5";
import { useModel } from "../support/model.js";

const load = (precision: "exact" | "float32" = "float32") =>
  T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", precision, intraOpThreads: 1 });

const LONG = { maxNewTokens: 400, eosTokenId: [] };
const texts = Array.from({ length: 16 }, (_, index) => `spell number: ${index}`);

describe("stats", () => {
  it("counts steps, rows and caches while a generation runs, and nothing when it has ended", async () => {
    const t5 = await load();
    const idle = t5.stats();
    assert.deepEqual([idle.running, idle.waiting, idle.steps, idle.cacheBytes], [0, 0, 0, 0]);
    const running = t5.generate(texts, LONG);
    await t5.forward("seven");
    const busy = t5.stats();
    assert.equal(busy.runningRows, texts.length);
    assert.ok(busy.cacheBytes > 0 && busy.lastPassTokens > 0, JSON.stringify(busy));
    await running;
    const { steps, lastStepRows, tokensPerSecond, stepMs, queueMs } = t5.stats();
    assert.equal(steps, LONG.maxNewTokens - 1); // the first token is that of the prefill
    assert.equal(lastStepRows, texts.length);
    assert.ok(tokensPerSecond > 0 && stepMs.p50 > 0 && stepMs.p99 >= stepMs.p50 && queueMs.p99 >= queueMs.p50);
    await t5.dispose();
    const { running: runs, waiting, runningRows, cacheBytes } = t5.stats();
    assert.deepEqual([runs, waiting, runningRows, cacheBytes], [0, 0, 0, 0]);
  });
});

describe("dispose", () => {
  for (const precision of ["exact", "float32"] as const) {
    it(`with drain: false ends running and waiting calls with ERR_DISPOSED, in ${precision}`, async () => {
      const t5 = await load(precision);
      const stream = t5.stream("spell number: 7", LONG);
      await stream.next();
      const calls = [t5.generate(texts, LONG), t5.generate(texts, LONG), t5.embed(texts), t5.forward("seven")];
      const settled = Promise.allSettled(calls);
      await t5.dispose({ drain: false });
      for (const outcome of await settled) {
        assert.ok(outcome.status === "rejected");
        assert.equal(outcome.reason.code, "ERR_DISPOSED");
      }
      await assert.rejects(stream.next(), { code: "ERR_DISPOSED" });
      await assert.rejects(t5.forward("seven"), { code: "ERR_DISPOSED" });
      await t5.dispose({ drain: false });
    });
  }

  it("with drain: false also ends calls whose texts are being tokenized", async () => {
    const t5 = await load();
    const call = t5.embed("a ".repeat(500_000));
    const rejected = assert.rejects(call, { code: "ERR_DISPOSED" });
    await t5.dispose({ drain: false });
    await rejected;
  });

  it("refuses other options, and then does nothing", async () => {
    const t5 = await load();
    const refused = { code: "ERR_INVALID_ARGUMENT" };
    // @ts-expect-error: not a boolean
    await assert.rejects(t5.dispose({ drain: 1 }), refused);
    // @ts-expect-error: no such option
    await assert.rejects(t5.dispose({ force: true }), refused);
    assert.equal((await t5.forward("seven")).logits.shape[0], 1);
    await t5.dispose({ drain: true });
  });
});

describe("the events of requests", () => {
  const model = useModel({ precision: "float32" });

  it("are published while somebody listens: queued, started, the first token, ended", async () => {
    const events: RequestEvent[] = [];
    const listener = (message: unknown) => void events.push(message as RequestEvent);
    subscribe(REQUEST_CHANNEL, listener);
    try {
      await model().generate("spell number: 7", { maxNewTokens: 5, eosTokenId: [] });
      await model().forward("seven");
      await assert.rejects(model().embed(["seven"], { signal: AbortSignal.abort() }));
      const controller = new AbortController();
      const aborted = model().generate(texts, { ...LONG, signal: controller.signal });
      setImmediate(() => controller.abort());
      await assert.rejects(aborted);
      // The event of an aborted request is published when native code has let go of it.
      while (events.filter(({ event }) => event === "ended").length < 3) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      unsubscribe(REQUEST_CHANNEL, listener);
    }
    await model().forward("eight");
    const of = (kind: string) => events.filter((event) => event.kind === kind).map(({ event }) => event);
    assert.deepEqual(of("generate").slice(0, 4), ["queued", "started", "firstToken", "ended"]);
    assert.deepEqual(of("forward"), ["queued", "started", "ended"]);
    assert.deepEqual(of("embed"), []);
    assert.equal(events.at(-1)?.event, "ended");
    assert.equal(events.at(-1)?.code, "ERR_ABORTED");
    assert.ok(events.every(({ ms, id }) => ms >= 0 && id > 0));
    assert.equal(new Set(events.map(({ id }) => id)).size, 3);
  });
});
