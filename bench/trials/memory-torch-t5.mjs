// One process of torch-t5: how much resident memory held results add, as a multiple of their bytes. Collections are forced
// before each reading, so that what is counted is what the results hold and not garbage.
import { argv, memoryUsage, stdout } from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { T5ForConditionalGeneration } from "torch-t5";
import { makeIds } from "./ids.mjs";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
const HELD = 8;

const { directory, threads } = JSON.parse(argv[2]);
const t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: threads });
const request = { inputIds: makeIds(8, 16), decoderInputIds: makeIds(8, 64) };
for (let i = 0; i < 3; i++) (await t5.forward(request)).logits.dispose();
collect();
const before = memoryUsage.rss();
const held = [];
for (let i = 0; i < HELD; i++) held.push((await t5.forward(request)).logits);
collect();
const bytes = held.reduce((sum, logits) => sum + logits.data.byteLength, 0);
stdout.write(`${JSON.stringify({ ratio: (memoryUsage.rss() - before) / bytes })}\n`);
