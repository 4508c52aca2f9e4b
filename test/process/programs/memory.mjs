// Prints the resident memory in MB after a warm-up and after two thousand forwards, whose results are released in one
// of three ways.
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { load } from "./shared.mjs";

const [, , name] = process.argv;
const FORWARDS = 2000;
/** By then the heap and the allocator have their size. An aborted call does little of what fills them. */
const WARMUPS = name === "aborted" ? 2500 : 300;
const request = {
  inputIds: Array.from({ length: 4 }, () => [5, 6, 7, 8, 9, 10, 1]),
  decoderInputIds: Array.from({ length: 4 }, () => Array.from({ length: 32 }, (_, i) => 3 + i)),
};
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");
/** Aborted calls leave small objects alone, which V8 collects late. Results have to be freed without a request. */
async function megabytes() {
  for (let round = 0; name === "aborted" && round < 3; round++) {
    collectGarbage();
    await setTimeout(20); // finalizers run
  }
  return process.memoryUsage.rss() / 2 ** 20;
}

const t5 = await load();
const ways = {
  dropped: async () => {
    await t5.forward(request);
  },
  disposed: async () => {
    const { logits, encoderLastHiddenState, decoderLastHiddenState } = await t5.forward(request, {
      hiddenStates: true,
    });
    for (const tensor of [logits, encoderLastHiddenState, decoderLastHiddenState]) tensor.dispose();
  },
  aborted: async () => {
    const controller = new AbortController();
    const call = t5.forward(request, { signal: controller.signal });
    controller.abort();
    await call.catch(() => {});
  },
};
const way = ways[name];
for (let i = 0; i < WARMUPS; i++) await way();
const before = await megabytes();
let bytes = 0;
for (let i = 0; i < FORWARDS; i++) await way();
bytes = FORWARDS * (await t5.forward(request)).logits.data.byteLength;
console.log(JSON.stringify({ before, after: await megabytes(), moved: bytes / 2 ** 20 }));
await t5.dispose();
