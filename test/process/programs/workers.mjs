// Loads the model in the main thread and in four workers at once, and compares their results.
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { load, short } from "./shared.mjs";

const WORKERS = 4;
const FORWARDS = 20;

async function compute() {
  const t5 = await load();
  let last;
  for (let i = 0; i < FORWARDS; i++) last = await t5.forward(short);
  const copy = Float32Array.from(last.logits.data);
  await t5.dispose();
  return copy;
}

if (isMainThread) {
  const inWorker = () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(fileURLToPath(import.meta.url));
      worker.once("message", resolve);
      worker.once("error", reject);
    });
  const [mine, ...theirs] = await Promise.all([compute(), ...Array.from({ length: WORKERS }, inWorker)]);
  const equal = theirs.filter((logits) => Buffer.from(logits.buffer).equals(Buffer.from(mine.buffer)));
  console.log(JSON.stringify({ workers: theirs.length, equal: equal.length, values: mine.length }));
} else {
  parentPort.postMessage(await compute());
}
