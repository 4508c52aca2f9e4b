// Runs the forward passes of a JSON file and writes all logits to another file. Arguments: directory, precision,
// inputs, output.
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";

const [, , directory, precision, inputs, output] = argv;
const t5 = await T5ForConditionalGeneration.fromPretrained(directory, { device: "cpu", intraOpThreads: 2, precision });
const logits = [];
for (const input of JSON.parse(readFileSync(inputs, "utf8"))) logits.push((await t5.forward(input)).logits.data);
writeFileSync(output, Buffer.concat(logits.map(({ buffer }) => Buffer.from(buffer))));
await t5.dispose();
