// Ends the process, or a worker, in the way that the arguments name, while the call that they name is under way.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { load, short } from "./shared.mjs";

const ROUNDS = 3;
const rows = { inputIds: Array.from({ length: 48 }, () => [5, 6, 7, 8, 9, 10, 1]) };
const row = { inputIds: [[5, 6, 7, 8, 9, 10, 1]] };
/** Far more steps than there is time for. */
const endless = { maxNewTokens: 100_000, eosTokenId: [] };

/** Each starts a call that runs on, and resolves once it is under way. */
const calls = {
  generate: (t5) => {
    t5.generate(rows, { ...endless, numBeams: 3 }).catch(() => {});
    return new Promise((resolve) => setTimeout(resolve, 100));
  },
  "generate with a processor": (t5) =>
    new Promise((resolve) => {
      const logitsProcessor = ({ step }) => {
        if (step === 3) resolve();
      };
      t5.generate(rows, { ...endless, logitsProcessor }).catch(() => {});
    }),
  stream: (t5) =>
    new Promise((resolve) => {
      (async () => {
        for await (const { tokenId } of t5.stream(row, endless)) resolve(tokenId);
      })().catch(() => {});
    }),
  session: async (t5) => {
    const encoded = await t5.encode(rows);
    const session = encoded.startDecoding();
    const start = Array.from({ length: 48 }, () => [0]);
    await session.step(start);
    session.step(start).catch(() => {});
  },
};

if (isMainThread) {
  const [, , way, call] = process.argv;
  const t5 = await load();
  if (way === "terminate") {
    for (let round = 0; round < ROUNDS; round++) {
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: call });
      await once(worker, "message");
      await worker.terminate();
      await t5.generate(short);
    }
    await t5.dispose();
    console.log(JSON.stringify({ rounds: ROUNDS }));
  } else {
    await calls[call](t5);
    if (way === "exit") process.exit(7);
    if (way === "throw") {
      setImmediate(() => {
        throw new Error("thrown on purpose");
      });
    }
  }
} else {
  await calls[workerData](await load());
  parentPort.postMessage("running");
}
