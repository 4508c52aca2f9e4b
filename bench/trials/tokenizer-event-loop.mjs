// One process of torch-t5's tokenizer: how long a batch holds the event loop at a time, in milliseconds.
import { readFileSync } from "node:fs";
import { argv, stdout } from "node:process";
import { T5Tokenizer } from "torch-t5";

const TIMES_THE_BATCH = 16;

const { directory, texts, warmups, repetitions } = JSON.parse(argv[2]);
const tokenizer = await T5Tokenizer.fromPretrained(directory);
const { batch } = JSON.parse(readFileSync(texts, "utf8"));
const many = Array.from({ length: TIMES_THE_BATCH }, () => batch).flat();

/** The longest time that the loop did not turn while `work` went on. */
async function longestHold(work) {
  let longest = 0;
  let last = performance.now();
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    handle = setImmediate(turn);
  };
  let handle = setImmediate(turn);
  await work();
  clearImmediate(handle);
  return Math.max(longest, performance.now() - last);
}

for (let i = 0; i < warmups; i++) tokenizer.encodeBatch(batch);
const results = { batch: [], many: [] };
for (let i = 0; i < repetitions; i++) {
  results.batch.push(await longestHold(() => tokenizer.encodeBatchAsync(batch)));
  results.many.push(await longestHold(() => tokenizer.encodeBatchAsync(many)));
}
stdout.write(`${JSON.stringify({ batch: Math.max(...results.batch), many: Math.max(...results.many) })}\n`);
