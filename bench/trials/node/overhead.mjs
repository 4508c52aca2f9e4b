// A trial of torch-t5: many small forward passes of the embedded model.
import { argv, stdout } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";

const { directories, threads, warmups, repetitions, cases } = JSON.parse(argv[2]);
const t5 = await T5ForConditionalGeneration.fromPretrained(directories.model, {
  device: "cpu",
  intraOpThreads: threads,
});
const request = { inputIds: [[3, 4, 5, 6, 7, 8, 9, 1]], decoderInputIds: [[0]] };
const samples = [];
for (let i = -warmups; i < repetitions; i++) {
  const started = performance.now();
  await t5.forward(request);
  if (i >= 0) samples.push(performance.now() - started);
}
await t5.dispose();
stdout.write(`${JSON.stringify({ cases: cases.map(({ name, unit }) => ({ case: name, unit, samples })) })}\n`);
