// Terminates workers while their forwards run. The main thread's model continues to serve.
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { load, long, short } from "./shared.mjs";

const ROUNDS = 3;

if (isMainThread) {
  const t5 = await load();
  for (let round = 0; round < ROUNDS; round++) {
    const worker = new Worker(fileURLToPath(import.meta.url));
    await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    await worker.terminate();
    await t5.forward(short);
  }
  await t5.dispose();
  console.log(JSON.stringify({ rounds: ROUNDS }));
} else {
  const t5 = await load();
  const calls = [t5.forward(long), t5.forward(long)];
  setTimeout(() => parentPort.postMessage("running"), 50);
  await Promise.all(calls);
}
