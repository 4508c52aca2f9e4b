// Pauses streams, ends its own work, and leaves the process to end by itself.
import { load } from "./shared.mjs";

const t5 = await load({ precision: process.argv[2] });
const streams = Array.from({ length: 3 }, () =>
  t5.stream({ inputIds: [[5, 6, 7, 1]] }, { maxNewTokens: 50, eosTokenId: [] }),
);
for (const stream of streams) await stream.next();
globalThis.streams = streams; // they are not garbage
console.log("paused");
