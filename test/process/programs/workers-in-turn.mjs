// Loads the model in one worker after another, and never in the main thread: each worker is the addon's last user.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker } from "node:worker_threads";
import { load, short } from "./shared.mjs";

const WORKERS = 3;

if (isMainThread) {
  const codes = [];
  for (let i = 0; i < WORKERS; i++) {
    const [code] = await once(new Worker(fileURLToPath(import.meta.url)), "exit");
    codes.push(code);
  }
  console.log(JSON.stringify({ codes }));
} else {
  const t5 = await load();
  await t5.forward(short);
  await t5.dispose();
}
