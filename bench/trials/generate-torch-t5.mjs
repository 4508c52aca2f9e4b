// One process of torch-t5: milliseconds per generation of each case asked for, after warm-up, and what was generated.
import { argv, stdout } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";
import { makeIds } from "./ids.mjs";

const { directory, threads, cases, sourceLength, newTokens, warmups, repetitions } = JSON.parse(argv[2]);
const t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: threads });
const times = [];
const sequences = [];
for (const { batch, numBeams } of cases) {
  const inputIds = makeIds(batch, sourceLength);
  const options = { maxNewTokens: newTokens, eosTokenId: [], numBeams };
  const samples = [];
  let generated;
  for (let i = -warmups; i < repetitions; i++) {
    const started = performance.now();
    generated = await t5.generate({ inputIds }, options);
    if (i >= 0) samples.push(performance.now() - started);
  }
  times.push(samples);
  sequences.push(Array.from({ length: batch }, (_, row) => [...generated.sequences.row(row)]));
}
await t5.dispose();
stdout.write(`${JSON.stringify({ times, sequences })}\n`);
