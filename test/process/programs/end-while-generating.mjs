// Ends the process, or a worker, in the way that the first argument names, during the call that the second one names.
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { load, short } from "./shared.mjs";

/** Each waits a millisecond longer, so that calls are terminated within a step and between two steps. */
const ROUNDS = 16;
const rows = { inputIds: Array.from({ length: 48 }, () => [5, 6, 7, 8, 9, 10, 1]) };
const row = { inputIds: [[5, 6, 7, 8, 9, 10, 1]] };
/** Far more steps than the process lives for. */
const endless = { maxNewTokens: 100_000, eosTokenId: [] };

/** Endless calls. Each calls `started` once it runs. */
const calls = {
  generate: async (t5, started) => {
    const call = t5.generate(rows, { ...endless, numBeams: 3 });
    // There is no event for its first step.
    await setTimeout(100);
    started();
    await call;
  },
  "generate with a processor": (t5, started) =>
    t5.generate(row, {
      ...endless,
      logitsProcessor: ({ step }) => {
        if (step === 3) started();
      },
    }),
  stream: async (t5, started) => {
    let count = 0;
    for await (const { tokenId } of t5.stream(row, { ...endless, returnLogits: true })) {
      if (tokenId >= 0 && ++count === 3) started();
    }
  },
  "the steps of a session": async (t5, started) => {
    const session = (await t5.encode(row)).startDecoding();
    for (let count = 1; ; count++) {
      await session.step([[5]]);
      if (count === 3) started();
    }
  },
  "short generations": async (t5, started) => {
    for (let count = 1; ; count++) {
      await t5.generate(row, { maxNewTokens: 2, returnLogits: true });
      if (count === 3) started();
    }
  },
};

/** Resolves once the call runs. Its outcome is ignored. */
const begin = (t5, call) =>
  new Promise((resolve) => {
    calls[call](t5, resolve).catch(() => {});
  });

if (isMainThread) {
  const [, , way, call] = process.argv;
  const t5 = await load();
  if (way === "terminate") {
    for (let round = 0; round < ROUNDS; round++) {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: call });
      await once(worker, "message");
      await setTimeout(round);
      await worker.terminate();
      await t5.generate(short);
    }
    await t5.dispose();
    console.log(JSON.stringify({ rounds: ROUNDS }));
  } else {
    await begin(t5, call);
    if (way === "exit") process.exit(7);
    if (way === "throw") {
      setImmediate(() => {
        throw new Error("thrown on purpose");
      });
    }
  }
} else {
  await begin(await load(), workerData);
  parentPort.postMessage("running");
}
