import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import process from "node:process";
import { demoModel, REQUEST_CHANNEL, type RequestEvent, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { useModel } from "../support/model.js";

const load = (precision: "exact" | "float32" = "float32") =>
  T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", precision, intraOpThreads: 1 });

async function untilIdle(t5: T5ForConditionalGeneration): Promise<void> {
  while (t5.stats().running > 0) await new Promise((resolve) => setImmediate(resolve));
}

const LONG = { maxNewTokens: 400, eosTokenId: [] };
/** What a model keeps at most, in bytes. */
const MAX_REUSABLE = 128 * 2 ** 20;
const texts = Array.from({ length: 16 }, (_, index) => `spell number: ${index}`);

describe("stats", () => {
  it("counts steps, rows and caches while a generation runs, and nothing when it has ended", async () => {
    const t5 = await load();
    // A request is counted for a moment after its result has arrived: here that of loading.
    await untilIdle(t5);
    const idle = t5.stats();
    assert.deepEqual([idle.running, idle.waiting, idle.steps, idle.cacheBytes, idle.reusableBytes], [0, 0, 0, 0, 0]);
    const running = t5.generate(texts, LONG);
    // It starts once its texts are tokenized.
    while (t5.stats().runningRows === 0) await new Promise((resolve) => setImmediate(resolve));
    await t5.forward("seven");
    const busy = t5.stats();
    assert.equal(busy.runningRows, texts.length);
    assert.ok(busy.cacheBytes > 0 && busy.lastPassTokens > 0, JSON.stringify(busy));
    await running;
    const { steps, lastStepRows, tokensPerSecond, stepMs, queueMs } = t5.stats();
    assert.equal(steps, LONG.maxNewTokens - 1); // the first token is that of the prefill
    assert.equal(lastStepRows, texts.length);
    assert.ok(tokensPerSecond > 0 && stepMs.p50 > 0 && stepMs.p99 >= stepMs.p50 && queueMs.p99 >= queueMs.p50);
    await untilIdle(t5);
    const { reusableBytes: kept } = t5.stats();
    assert.ok(kept > 0 && kept <= MAX_REUSABLE, `${kept} bytes are kept`);
    await t5.dispose();
    const { running: runs, waiting, runningRows, cacheBytes, reusableBytes } = t5.stats();
    assert.deepEqual([runs, waiting, runningRows, cacheBytes, reusableBytes], [0, 0, 0, 0, 0]);
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
    const call = t5.embed(Array.from({ length: 20_000 }, () => "spell number: 48213"));
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

describe("the queue", () => {
  for (const [what, options] of [
    ["a stream", {}],
    ["a stream with a logits processor", { logitsProcessor: () => {} }],
  ] as const) {
    it(`is waited for once by ${what}: its first token comes before the answers to most calls made after it`, async () => {
      const t5 = await load("exact");
      const order: string[] = [];
      const before = Array.from({ length: 60 }, () => t5.forward("seven"));
      const token = t5
        .stream("spell number: 7", options)
        .next()
        .then(() => order.push("token"));
      await new Promise((resolve) => setImmediate(resolve));
      // They take long enough for the stream's second request to be made meanwhile, on any machine.
      const calls = Array.from({ length: 400 }, () => t5.forward("seven").then(() => order.push("call")));
      await Promise.all([...before, token, ...calls]);
      assert.ok(order.indexOf("token") < calls.length / 2, `after ${order.indexOf("token")} answers`);
      await t5.dispose();
    });
  }
});

describe("timeoutMs", () => {
  for (const precision of ["exact", "float32"] as const) {
    const timeout = { code: "ERR_TIMEOUT", name: "T5Error" };

    describe(`in ${precision}`, () => {
      const model = useModel({ precision });
      const endless = { maxNewTokens: 100_000, eosTokenId: [], timeoutMs: 20 };

      it("ends a call that takes longer with ERR_TIMEOUT and the caller's stack, and frees its rows", async () => {
        const error: unknown = await model()
          .generate(texts, endless)
          .catch((thrown: unknown) => thrown);
        assert.ok(error instanceof T5Error && error.code === "ERR_TIMEOUT", String(error));
        assert.match(error.message, /generate to end within 20 ms \(options\.timeoutMs\)/);
        assert.match(error.stack ?? "", /service\.spec/);
        await untilIdle(model());
        assert.equal((await model().forward("seven")).logits.shape[0], 1);
      });

      it("ends a call that waits for another", async () => {
        const controller = new AbortController();
        const { signal } = controller;
        const running = model().generate(texts, { ...endless, timeoutMs: 60_000, signal });
        const waiting = model().generate(texts.concat(texts, texts, texts), endless);
        await assert.rejects(waiting, timeout);
        controller.abort();
        await assert.rejects(running, { name: "AbortError" });
      });

      it("ends a stream, a session's call and a logits processor that never settles", async () => {
        const stream = model().stream("seven", { ...endless, timeoutMs: 50 });
        await assert.rejects(async () => {
          for await (const token of stream) assert.ok(token.tokenId >= 0);
        }, timeout);
        assert.deepEqual(await stream.next(), { done: true, value: undefined });
        const logitsProcessor = () => new Promise<void>(() => {});
        await assert.rejects(model().generate("seven", { ...endless, logitsProcessor }), timeout);
        const session = (await model().encode("seven")).startDecoding();
        await assert.rejects(session.step([[0]], { timeoutMs: Number.MIN_VALUE }), timeout);
        assert.equal((await session.step([[0]], { timeoutMs: 60_000 })).logits.shape[1], 1);
        session.dispose();
      });

      it("ends a call while its texts are tokenized or its documents are read", async () => {
        const text = "a ".repeat(2_000_000);
        await assert.rejects(model().forward(text, { timeoutMs: 5 }), timeout);
        await assert.rejects(model().embed(text, { timeoutMs: 5 }), timeout);
        const documents = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) };
        const tokens = { trueToken: "▁", falseToken: "</s>", timeoutMs: 5 };
        await assert.rejects(model().rerank("seven", documents, tokens), timeout);
      });
    });
  }

  it("ends a call whose input would take many minutes, and the next call is answered", async () => {
    const length = 2 ** 18;
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, {
      device: "cpu",
      precision: "float32",
      maxInputTokens: length,
    });
    const long = { data: new Int32Array(length).fill(5), shape: [1, length] } as const;
    for (const timeoutMs of [20, 200, 700]) {
      await assert.rejects(t5.embed({ inputIds: long }, { timeoutMs }), { code: "ERR_TIMEOUT" });
      assert.equal((await t5.forward("seven")).logits.shape[0], 1);
    }
    await assert.rejects(t5.forward({ inputIds: [[5, 1]], decoderInputIds: long }, { timeoutMs: 100, tokens: [5] }), {
      code: "ERR_TIMEOUT",
    });
    await t5.dispose();
  });

  it("does not change a call that ends in time, and leaves no timer", async () => {
    const t5 = await load();
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    const before = timers();
    const alone = await t5.generate(texts, LONG);
    const timed = await t5.generate(texts, { ...LONG, timeoutMs: 2 ** 31 - 1 });
    assert.deepEqual(timed.sequences.data, alone.sequences.data);
    assert.equal(timers(), before);
    await t5.dispose();
  });

  it("gives way to a signal that has aborted", async () => {
    const t5 = await load();
    const reason = new Error("stop");
    const call = t5.forward("seven", { signal: AbortSignal.abort(reason), timeoutMs: Number.MIN_VALUE });
    await assert.rejects(call, reason);
    await t5.dispose();
  });

  it("and priority refuse other values", async () => {
    const t5 = await load();
    for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, "5", null, [5]]) {
      // @ts-expect-error: some are not numbers
      await assert.rejects(t5.forward("seven", { timeoutMs }), { code: "ERR_INVALID_ARGUMENT" });
    }
    for (const priority of [0.5, Number.NaN, 2 ** 31, "5", null]) {
      // @ts-expect-error: some are not numbers
      await assert.rejects(t5.generate("seven", { priority }), { code: "ERR_INVALID_ARGUMENT" });
    }
    await t5.dispose();
  });
});

describe("priority", () => {
  it("lets calls that wait start before others, in their order", async () => {
    const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1 });
    const ended: string[] = [];
    const call = async (name: string, priority: number | undefined) => {
      await t5.forward("seven", { priority });
      ended.push(name);
    };
    // Takes far longer than the calls after it take to reach the queue.
    const inputIds = { data: new Int32Array(64 * 500).fill(5), shape: [64, 500] as const };
    const running = t5.embed({ inputIds });
    const calls = [call("low", -1), call("first", undefined), call("second", 0), call("high", 3), call("higher", 4)];
    await Promise.all([running, ...calls]);
    assert.deepEqual(ended, ["higher", "high", "first", "second", "low"]);
    await t5.dispose();
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

  it("have the rows, the tokens and the times of their requests", async () => {
    const events: RequestEvent[] = [];
    const listener = (message: unknown) => void events.push(message as RequestEvent);
    const t5 = model();
    const ids = [
      [5, 6, 7, 1],
      [8, 1, 0, 0],
    ];
    const attentionMask = [
      [1, 1, 1, 1],
      [1, 1, 0, 0],
    ];
    const source = { inputIds: ids, attentionMask };
    subscribe(REQUEST_CHANNEL, listener);
    try {
      const encoded = await t5.encode(source);
      await t5.generate(source, { maxNewTokens: 5, eosTokenId: [], numReturnSequences: 3, doSample: true });
      (await t5.forward(source)).logits.dispose();
      const session = encoded.startDecoding();
      (await session.prefill([[0], [0]])).logits.dispose();
      session.dispose();
      encoded.dispose();
      for await (const _ of t5.stream({ inputIds: [[5, 1]] }, { maxNewTokens: 3, eosTokenId: [] }));
      await assert.rejects(t5.generate(source, { maxNewTokens: 5, stopStrings: ["x"], timeoutMs: 1e-3 }));
    } finally {
      unsubscribe(REQUEST_CHANNEL, listener);
    }
    const of = (kind: string, event: string) => events.filter((one) => one.kind === kind && one.event === event);
    for (const event of ["queued", "started", "ended"]) {
      for (const kind of ["encode", "generate", "forward"]) {
        const [{ rows, inputTokens } = {}] = of(kind, event);
        assert.deepEqual({ kind, event, rows, inputTokens }, { kind, event, rows: 2, inputTokens: 6 });
      }
    }
    assert.equal(of("generate", "ended")[0]?.outputTokens, 2 * 3 * 5);
    assert.equal(of("forward", "ended")[0]?.outputTokens, undefined);
    // One request starts a stream, and each step makes another.
    const steps = of("stream", "ended");
    assert.deepEqual([steps[0]?.rows, steps[0]?.inputTokens], [1, 2]);
    assert.equal(
      steps.reduce((sum, { outputTokens = 0 }) => sum + outputTokens, 0),
      3,
    );
    for (const event of [...of("generate", "firstToken"), ...of("generate", "ended")].slice(0, 2)) {
      assert.ok(event.queueMs !== undefined && event.queueMs >= 0 && event.queueMs <= event.ms);
    }
    assert.ok(of("generate", "queued").every(({ queueMs, ms }) => queueMs === undefined && ms === 0));
  });
});
