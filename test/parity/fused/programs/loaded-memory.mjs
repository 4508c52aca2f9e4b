// Prints the resident memory, in MB, that a model adds when it is loaded, used and disposed. Arguments: directory,
// precision.
import { argv, memoryUsage } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const [, , directory, precision] = argv;
const input = { inputIds: [[5, 6, 7, 8, 1]], decoderInputIds: [[0, 9, 10]] };
const megabytes = () => memoryUsage.rss() / 2 ** 20;
const load = (path) => T5ForConditionalGeneration.fromPretrained(path, { device: "cpu", intraOpThreads: 1, precision });
const pass = (t5) => t5.forward(input, { positions: "last", topK: 5 });

// Loads libtorch and its kernels, whose memory is not counted.
const small = await load(demoModel);
await pass(small);
await small.dispose();

const before = megabytes();
const t5 = await load(directory);
const loaded = megabytes() - before;
for (let round = 0; round < 20; round++) await pass(t5);
const used = megabytes() - before;
await t5.dispose();
const left = megabytes() - before;
console.log(JSON.stringify({ loaded, used, left }));
