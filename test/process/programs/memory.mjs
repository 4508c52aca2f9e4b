// Prints the resident memory in MB after a warm-up and after two thousand forwards, whose results are released in one
// of three ways.
import { load } from "./shared.mjs";

const FORWARDS = 2000;
const WARMUPS = 300;
const request = {
  inputIds: Array.from({ length: 4 }, () => [5, 6, 7, 8, 9, 10, 1]),
  decoderInputIds: Array.from({ length: 4 }, () => Array.from({ length: 32 }, (_, i) => 3 + i)),
};
const megabytes = () => process.memoryUsage.rss() / 2 ** 20;

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
const way = ways[process.argv[2]];
for (let i = 0; i < WARMUPS; i++) await way();
const before = megabytes();
let bytes = 0;
for (let i = 0; i < FORWARDS; i++) await way();
bytes = FORWARDS * (await t5.forward(request)).logits.data.byteLength;
console.log(JSON.stringify({ before, after: megabytes(), moved: bytes / 2 ** 20 }));
await t5.dispose();
