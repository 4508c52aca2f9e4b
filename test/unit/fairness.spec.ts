// Which calls end before which others, never how long they take.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import type { T5ForConditionalGeneration, TokenStream } from "torch-t5";
import { PRECISIONS, useModel } from "../support/model.js";

const ids = (length: number, first = 3) => Array.from({ length }, (_, i) => 3 + ((first + 7 * i) % 300));
const rows = (count: number, length: number) => Array.from({ length: count }, (_, row) => ids(length, row));
const short = { inputIds: rows(1, 6) };

/** The names of calls in the order in which they end. */
async function orderOf(calls: Readonly<Record<string, Promise<unknown>>>): Promise<readonly string[]> {
  const ended: string[] = [];
  await Promise.all(Object.entries(calls).map(([name, call]) => call.then(() => ended.push(name))));
  return ended;
}

/** A stream of so many tokens. */
const streamOf = (t5: T5ForConditionalGeneration, maxNewTokens: number, length = 6) =>
  t5.stream({ inputIds: rows(1, length) }, { maxNewTokens, eosTokenId: [] });

/** Reads a stream to its end. */
async function read(stream: TokenStream): Promise<number> {
  let count = 0;
  for await (const { tokenId } of stream) count += tokenId >= 0 ? 1 : 0;
  return count;
}

/** Streams of which one token was read. */
async function paused(t5: T5ForConditionalGeneration, count: number): Promise<readonly TokenStream[]> {
  const streams = Array.from({ length: count }, () => streamOf(t5, 50));
  for (const stream of streams) assert.equal((await stream.next()).done, false);
  return streams;
}

for (const precision of PRECISIONS) {
  describe(`a model that is shared, in ${precision},`, () => {
    const model = useModel({ precision, maxBatchSize: 32, maxBatchTokens: 256 });

    it("answers a short forward during a generation of 32 rows that was called before", async () => {
      const generation = model().generate({ inputIds: rows(32, 16) }, { maxNewTokens: 200, eosTokenId: [] });
      await setTimeout(20); // the generation runs
      const order = await orderOf({ generation, forward: model().forward(short) });
      assert.deepEqual(order, ["forward", "generation"]);
    });

    it("answers a short forward while it scores many targets", async () => {
      const score = model().score({ inputIds: rows(1, 16) }, rows(400, 20), { batchSize: 8 });
      const order = await orderOf({ score, forward: model().forward(short) });
      assert.deepEqual(order, ["forward", "score"]);
    });

    it("ends a stream that has begun while hundreds of short forwards wait", async () => {
      const begun = streamOf(model(), 30);
      await begun.next();
      const flood = Promise.all(Array.from({ length: 1000 }, () => model().forward({ inputIds: rows(1, 40) })));
      const stream = read(begun);
      assert.deepEqual(await orderOf({ flood, stream }), ["stream", "flood"]);
      assert.equal(await stream, 29);
    });

    it("answers a short forward while many streams run", async () => {
      const streams = Array.from({ length: 24 }, () => streamOf(model(), 100));
      await Promise.all(streams.map((stream) => stream.next()));
      const forward = model().forward(short);
      const all = Object.fromEntries(streams.map((stream, index) => [`stream ${index}`, read(stream)]));
      const order = await orderOf({ ...all, forward });
      assert.equal(order[0], "forward");
    });

    it("serves others while more streams are paused than a step has rows", async () => {
      const streams = await paused(model(), 40);
      const { sequences } = await model().generate({ inputIds: rows(32, 6) }, { maxNewTokens: 5, eosTokenId: [] });
      assert.deepEqual([...sequences.shape], [32, 6]);
      await model().forward(short);
      assert.equal(await read(streamOf(model(), 20)), 20);
      // Those that were paused continue.
      for (const [index, stream] of streams.entries()) {
        if (index % 2 === 0) assert.equal(await read(stream), 49);
        else await stream.return();
      }
    });

    it("serves a fast stream to its end while another one's consumer takes its time", async () => {
      const slow = streamOf(model(), 10);
      await slow.next();
      assert.equal(await read(streamOf(model(), 60)), 60);
      assert.equal(await read(slow), 9);
    });
  });

  describe(`dispose during a stream's first step, in ${precision},`, () => {
    const model = useModel({ precision });

    it("resolves, and the stream fails with ERR_DISPOSED", async () => {
      const streams = Array.from({ length: 8 }, () => streamOf(model(), 5));
      const first = Promise.all(streams.map((stream) => assert.rejects(stream.next(), { code: "ERR_DISPOSED" })));
      await model().dispose();
      await first;
    });
  });

  describe(`dispose while streams wait for the caches of a paused one, in ${precision},`, () => {
    const model = useModel({ precision, maxCacheBytes: 1 });

    it("resolves, and every call settles", async () => {
      await paused(model(), 1);
      const waiting = Array.from({ length: 5 }, () => streamOf(model(), 5).next());
      const generation = model().generate(short, { maxNewTokens: 5, eosTokenId: [] });
      assert.equal((await model().forward(short)).logits.shape[0], 1);
      const [settled] = await Promise.all([Promise.allSettled(waiting), model().dispose()]);
      for (const outcome of settled) {
        if (outcome.status === "rejected") assert.equal(outcome.reason.code, "ERR_DISPOSED");
        else assert.equal(outcome.value.done, false);
      }
      assert.deepEqual([...(await generation).sequences.shape], [1, 6]);
    });
  });

  describe(`dispose during paused streams, in ${precision},`, () => {
    const model = useModel({ precision });

    it("resolves, and the streams fail once with ERR_DISPOSED", async () => {
      const streams = await paused(model(), 6);
      const running = model().generate(short, { maxNewTokens: 30, eosTokenId: [] });
      await model().dispose();
      assert.deepEqual([...(await running).sequences.shape], [1, 31]);
      for (const stream of streams) {
        await assert.rejects(stream.next(), { code: "ERR_DISPOSED" });
        assert.deepEqual(await stream.next(), { done: true, value: undefined });
      }
    });
  });
}

for (const precision of ["float32", "bfloat16", "int8"] as const) {
  describe(`a long encoder input, in ${precision},`, () => {
    const model = useModel({ precision });

    it("does not delay running streams to its end", async () => {
      const streams = Array.from({ length: 4 }, () => streamOf(model(), 12));
      await Promise.all(streams.map((stream) => stream.next()));
      const embedding = model().embed({ inputIds: rows(32, 1200) });
      const all = Object.fromEntries(streams.map((stream, index) => [`stream ${index}`, read(stream)]));
      const order = await orderOf({ embedding, ...all });
      assert.equal(order.at(-1), "embedding");
    });

    it("delays no call that is made later to its end, even if other long inputs wait", async () => {
      const { inputIds } = short;
      const long = Array.from({ length: 3 }, () => model().embed({ inputIds: rows(24, 1200) }));
      await setTimeout(20); // the first one runs
      const calls = {
        forward: model().forward(short),
        generation: model().generate({ inputIds }, { maxNewTokens: 5, eosTokenId: [] }),
        score: model().score({ inputIds }, rows(6, 5), { batchSize: 2 }),
        stream: read(streamOf(model(), 5)),
        session: model()
          .encode({ inputIds })
          .then(async (encoded) => {
            const session = encoded.startDecoding();
            await session.prefill([[0, 5, 6]]);
            await session.step([[7]]);
          }),
      };
      const order = await orderOf({ ...calls, embedding: Promise.race(long) });
      assert.equal(order.at(-1), "embedding");
      await Promise.all(long);
    });
  });
}
