// One process of torch-t5: percentiles of the event loop's delay while forwards are always queued.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { argv, stdout } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";
import { makeIds } from "./ids.mjs";

const RESOLUTION_MS = 1;
const FORWARDS = 40;
const NANOSECONDS = 1e6;

const { directory, threads } = JSON.parse(argv[2]);
const t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: threads });
const request = { inputIds: makeIds(8, 32), decoderInputIds: makeIds(8, 16) };
for (let i = 0; i < 3; i++) (await t5.forward(request)).logits.dispose();
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
await Promise.all(Array.from({ length: FORWARDS }, async () => (await t5.forward(request)).logits.dispose()));
delay.disable();
const beyond = (nanoseconds) => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS);
stdout.write(
  `${JSON.stringify({ p50: beyond(delay.percentile(50)), p99: beyond(delay.percentile(99)), max: beyond(delay.max) })}\n`,
);
await t5.dispose();
