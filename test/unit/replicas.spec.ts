import assert from "node:assert/strict";
import { demoModel, T5Error, T5ForConditionalGeneration, T5ForSequenceClassification } from "torch-t5";
import { useModel } from "../support/model.js";

const TEXTS = Array.from({ length: 12 }, (_, index) => `spell number: ${index * 37}`);
const OPTIONS = { maxNewTokens: 12 };

function open(replicas: readonly ("cpu" | "cuda:99")[]) {
  return T5ForConditionalGeneration.fromPretrained(demoModel, { replicas, precision: "float32", intraOpThreads: 1 });
}

describe("replicas", () => {
  const single = useModel({ precision: "float32" });

  it("answer as one model does, and each of them has calls", async () => {
    await using t5 = await open(["cpu", "cpu"]);
    const calls: readonly ((model: T5ForConditionalGeneration, text: string) => Promise<unknown>)[] = [
      async (model, text) => [...(await model.forward(text)).logits.data],
      async (model, text) => (await model.generate(text, OPTIONS)).texts,
      async (model, text) => (await model.generate(text, { ...OPTIONS, numBeams: 3 })).texts,
      async (model, text) => model.score(text, ["one", "two hundred"]),
      async (model, text) => [...(await model.embed(text)).data],
      async (model, text) => (await model.rerank(text, ["one", "two"], { batchSize: 1 })).map(({ score }) => score),
      async (model, text) => {
        const pieces: string[] = [];
        for await (const { text: piece } of model.stream(text, OPTIONS)) pieces.push(piece);
        return pieces.join("");
      },
    ];
    for (const call of calls) {
      const received = await Promise.all(TEXTS.map((text) => call(t5, text)));
      for (const [index, text] of TEXTS.entries()) assert.deepEqual(received[index], await call(single(), text));
    }
    const { replicas, steps, limits } = t5.stats();
    assert.deepEqual(
      replicas.map(({ device }) => device),
      ["cpu", "cpu"],
    );
    for (const replica of replicas) assert.ok(replica.steps > 0);
    assert.equal(
      steps,
      replicas.reduce((sum, replica) => sum + replica.steps, 0),
    );
    assert.deepEqual(limits, single().stats().limits);
    assert.equal(t5.device, "cpu");
  });

  it("keep encoder outputs, sessions and their forks where they began", async () => {
    await using t5 = await open(["cpu", "cpu", "cpu"]);
    const work = async (model: T5ForConditionalGeneration, text: string) => {
      using encoded = await model.encode(text);
      const { texts } = await model.generate(encoded, OPTIONS);
      const [first] = await model.score(encoded, ["seven"]);
      using session = encoded.startDecoding();
      await session.prefill([[0]]);
      using fork = session.fork();
      const logits = [...(await session.step([[5]])).logits.data, ...(await fork.step([[6]])).logits.data];
      return { texts, score: first?.score, embedding: [...(await model.embed(encoded)).data], logits };
    };
    const received = await Promise.all(TEXTS.map((text) => work(t5, text)));
    for (const [index, text] of TEXTS.entries()) assert.deepEqual(received[index], await work(single(), text));
  });

  it("end with their model, and are replaced with it", async () => {
    const t5 = await open(["cpu", "cpu"]);
    const pending = TEXTS.map((text) => t5.generate(text, OPTIONS));
    await t5.reload(demoModel);
    const { texts } = await t5.generate(TEXTS[1] ?? "", OPTIONS);
    assert.deepEqual(texts, (await single().generate(TEXTS[1] ?? "", OPTIONS)).texts);
    assert.equal((await Promise.all(pending)).length, TEXTS.length);
    const ended = TEXTS.map((text) => t5.generate(text, { maxNewTokens: 20_000, eosTokenId: [] }));
    const outcomes = Promise.allSettled(ended);
    await t5.dispose({ drain: false });
    for (const outcome of await outcomes) {
      assert.ok(outcome.status === "rejected" && outcome.reason instanceof T5Error);
      assert.equal(outcome.reason.code, "ERR_DISPOSED");
    }
    await assert.rejects(t5.generate("7"), { code: "ERR_DISPOSED" });
    assert.deepEqual(
      t5.stats().replicas.map(({ running, waiting }) => running + waiting),
      [0, 0],
    );
  });

  it("abort one call and go on with the others", async () => {
    await using t5 = await open(["cpu", "cpu"]);
    const controller = new AbortController();
    const long = { maxNewTokens: 20_000, eosTokenId: [], signal: controller.signal };
    const calls = TEXTS.map((text, index) => (index === 3 ? t5.generate(text, long) : t5.generate(text, OPTIONS)));
    controller.abort();
    const outcomes = await Promise.allSettled(calls);
    assert.deepEqual(
      outcomes.map(({ status }) => status === "rejected"),
      TEXTS.map((_, index) => index === 3),
    );
  });

  it("are loaded all or none", async () => {
    await assert.rejects(open(["cpu", "cuda:99"]), { code: "ERR_DEVICE_UNAVAILABLE" });
  });

  it("run classifiers' options too: a wrong class is refused as without them", async () => {
    const load = T5ForSequenceClassification.fromPretrained(demoModel, { replicas: ["cpu", "cpu"] });
    await assert.rejects(load, { code: "ERR_INVALID_ARGUMENT" });
  });

  for (const [what, options, message] of [
    ["no device", { replicas: [] }, /an array of 1 to 64 devices for options.replicas but received/],
    ["a string", { replicas: "cpu" }, /an array of 1 to 64 devices for options.replicas but received "cpu"/],
    ["too many", { replicas: Array.from({ length: 65 }, () => "cpu") }, /an array of 1 to 64 devices/],
    [
      "auto",
      { replicas: ["cpu", "auto"] },
      /"cpu", "cuda" or "cuda:<number>" for options.replicas\[1\] but received "auto"/,
    ],
    ["a hole", { replicas: new Array(2) }, /for options.replicas\[0\] but received undefined/],
    [
      "a device besides",
      { replicas: ["cpu"], device: "cpu" },
      /undefined with replicas for options.device but received "cpu"/,
    ],
    [
      "a GPU with batchInvariant",
      { replicas: ["cpu", "cuda"], batchInvariant: true, precision: "float32" },
      /only "cpu" with batchInvariant .* for options.replicas but received "cuda"/,
    ],
  ] as const) {
    it(`refuse ${what}`, async () => {
      const load = T5ForConditionalGeneration.fromPretrained(demoModel, options as object);
      await assert.rejects(load, (error: unknown) => {
        assert.ok(error instanceof T5Error);
        assert.equal(error.code, "ERR_INVALID_ARGUMENT");
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
