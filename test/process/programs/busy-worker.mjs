// A worker with calls of many kinds in progress, until it is terminated. It posts "running" once.
import { parentPort } from "node:worker_threads";
import { load, short } from "./shared.mjs";

const CALLERS = 8;
const row = { inputIds: [[5, 6, 7, 8, 9, 10, 1]] };

const t5 = await load({ precision: "float32" });
const kinds = [
  () => t5.forward(short),
  () => t5.generate(row, { maxNewTokens: 20, eosTokenId: [] }),
  () => t5.generate(row, { maxNewTokens: 5, logitsProcessor: () => {} }),
  () => t5.embed(row),
  async () => {
    for await (const { tokenId } of t5.stream(row, { maxNewTokens: 30, eosTokenId: [] })) {
      if (tokenId < 0) throw new Error("an id below 0");
    }
  },
];
const caller = async (_, first) => {
  for (let count = first; ; count++) await kinds[count % kinds.length]();
};
parentPort.postMessage("running");
await Promise.all(Array.from({ length: CALLERS }, caller));
