// Your own loss: a head reads logits and labels on the device, and returns one number per text.
// The first run builds the head with heads/focal_loss.py.
//   node examples/head-loss.mjs [focal_loss.pt]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { buildHead } from "./heads/build.mjs";

const [path = "focal_loss.pt"] = argv.slice(2);
const text = ["spell number: 7", "spell number: 7", "spell number: 48213"];
const target = ["seven", "six", "forty-eight thousand two hundred thirteen"];
buildHead("focal_loss", path);
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

const head = await t5.loadHead(path);
// With `target` (or `labels`) the head can read `labels`: [batch, targetLength], -100 at padding.
const { headOutput } = await t5.forward({ text, target }, { head }); // [batch]
for (const [index, loss] of headOutput.data.entries()) {
  console.log(`${loss.toFixed(4)}  ${text[index]} -> ${target[index]}`);
}

head.dispose();
await t5.dispose();
