// One process of torch-t5: milliseconds of the first fromPretrained.
import { argv, stdout } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";

const { directory, threads } = JSON.parse(argv[2]);
const started = performance.now();
const t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: threads });
const milliseconds = performance.now() - started;
await t5.dispose();
stdout.write(`${JSON.stringify({ milliseconds })}\n`);
