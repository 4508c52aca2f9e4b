// One process of torch-t5: the median of many small forwards of the embedded model, in milliseconds.
import { argv, stdout } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";
import { median } from "../statistics.mjs";

const { directory, threads, repetitions } = JSON.parse(argv[2]);
const t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: threads });
const request = { inputIds: [[3, 4, 5, 6, 7, 8, 9, 1]], decoderInputIds: [[0]] };
const samples = [];
for (let i = 0; i < repetitions; i++) {
  const started = performance.now();
  await t5.forward(request);
  samples.push(performance.now() - started);
}
await t5.dispose();
stdout.write(`${JSON.stringify({ milliseconds: median(samples) })}\n`);
