// The memory of a model that `reload` replaces, with failing_allocations.node in LD_PRELOAD. Fails unless it is kept while
// something uses it, and freed right after that. Prints each kind of use.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { T5ForConditionalGeneration } from "torch-t5";
import { CONFIG, makeWeights, writeCheckpoint } from "../../support/checkpoint.js";
import { withDirectory } from "../../support/directory.js";
import { failingAllocations } from "./failing-allocations.js";

/** Far longer than freeing takes. */
const FREED_MS = 30_000;
const ENDLESS = { maxNewTokens: 20_000, eosTokenId: [] };
const source = { inputIds: [[5, 6, 7, 8, 1]] };

/** Uses a model, and returns how the use ends. */
const uses: Readonly<Record<string, (t5: T5ForConditionalGeneration) => Promise<() => unknown>>> = {
  "a call": async (t5) => {
    const controller = new AbortController();
    const ended = assert.rejects(t5.generate(source, { ...ENDLESS, signal: controller.signal }), /on purpose/);
    return () => {
      controller.abort(new Error("ended on purpose"));
      return ended;
    };
  },
  "a call that waits for its processor": async (t5) => {
    let call: Promise<unknown> | undefined;
    const goOn = await new Promise<() => void>((asked) => {
      const logitsProcessor = () => new Promise<void>((resolve) => asked(resolve));
      call = t5.generate(source, { maxNewTokens: 1, eosTokenId: [], logitsProcessor });
    });
    return async () => {
      goOn();
      await call;
    };
  },
  "an encoder output": async (t5) => {
    const output = await t5.encode(source);
    return () => output.dispose();
  },
  "a session": async (t5) => {
    using output = await t5.encode(source);
    const session = output.startDecoding();
    await session.step([[0]]);
    return async () => {
      await session.step([[5]]);
      session.dispose();
    };
  },
  "a fork of a session": async (t5) => {
    using output = await t5.encode(source);
    using session = output.startDecoding();
    await session.step([[0]]);
    const fork = session.fork();
    return async () => {
      await fork.step([[5]]);
      fork.dispose();
    };
  },
  "a stream": async (t5) => {
    const stream = t5.stream(source, ENDLESS);
    await stream.next();
    return async () => {
      assert.equal((await stream.next()).done, false);
      await stream.return();
    };
  },
  "a stream that has not begun": async (t5) => {
    const stream = t5.stream(source, { maxNewTokens: 3, eosTokenId: [] });
    return async () => {
      let count = 0;
      for await (const _ of stream) count++;
      assert.equal(count, 3);
    };
  },
  "a session that becomes garbage": async (t5) => {
    const kept = { session: (await t5.encode(source)).startDecoding() };
    return async () => {
      await kept.session.step([[0]]);
      Reflect.deleteProperty(kept, "session");
      for (let count = 0; count < 3; count++) {
        globalThis.gc?.();
        await setTimeout(20);
      }
    };
  },
};

/** The weights of the model take about 34 MB, far more than all else that differs from time to time. */
const SIZES = { ...CONFIG, d_model: 64, d_ff: 2 ** 15 };

await withDirectory(async (directory) => {
  writeCheckpoint(directory, { config: SIZES, weights: makeWeights(SIZES) });
  const open = () =>
    T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", precision: "float32", intraOpThreads: 1 });
  const { liveBytes } = failingAllocations();

  const t5 = await open();
  const live = () => liveBytes() - t5.stats().reusableBytes;
  /** The bytes in use, without garbage. */
  const settled = async () => {
    for (let count = 0; count < 3; count++) {
      globalThis.gc?.();
      await setTimeout(20);
    }
    return live();
  };
  await t5.generate(source, { maxNewTokens: 2 });
  const one = await settled();
  const second = await open();
  const size = (await settled()) - one;
  await second.dispose();
  const hasTwo = () => live() > one + size / 2;

  /** Waits until the old model's memory is no longer in use. Nothing but the end of its uses frees it. */
  const untilFreed = async (name: string) => {
    const started = performance.now();
    while (hasTwo()) {
      assert.ok(performance.now() < started + FREED_MS, `${name}: ${one} bytes became ${live()}`);
      await setTimeout(5);
    }
    console.log(name);
  };

  await untilFreed("dispose");
  await t5.reload(directory);
  await untilFreed("no use");
  for (const [name, use] of Object.entries(uses)) {
    const end = await use(t5);
    await t5.reload(directory);
    await settled();
    assert.ok(hasTwo(), `${name} keeps the old model: ${one} bytes became ${live()}`);
    await end();
    await untilFreed(name);
  }
  await t5.dispose();
});
