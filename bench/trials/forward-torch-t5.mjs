// One process of torch-t5: milliseconds per forward at each shape asked for, after warm-up.
import { argv, stdout } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";
import { makeIds } from "./ids.mjs";

const { directory, threads, shapes, warmups, repetitions } = JSON.parse(argv[2]);
const t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: threads });
const times = [];
for (const [batch, sourceLength, targetLength] of shapes) {
  const inputIds = makeIds(batch, sourceLength);
  const decoderInputIds = makeIds(batch, targetLength);
  const samples = [];
  for (let i = -warmups; i < repetitions; i++) {
    const started = performance.now();
    const { logits } = await t5.forward({ inputIds, decoderInputIds });
    if (i >= 0) samples.push(performance.now() - started);
    logits.dispose();
  }
  times.push(samples);
}
await t5.dispose();
stdout.write(`${JSON.stringify({ times })}\n`);
