// `sharing.ts <seed> <requests> <precision>...`: many callers of a model in each precision. Fails at an answer that has
// other bits than the same request alone.
import process from "node:process";
import { demoModel, type Precision, T5ForConditionalGeneration } from "torch-t5";
import { randomFrom } from "../load.js";
import { shareModel } from "../sharing.js";

const [seed, requests, ...precisions] = process.argv.slice(2);
for (const precision of precisions as Precision[]) {
  const options = { device: "cpu", precision, intraOpThreads: 2, maxBatchSize: 24, maxBatchTokens: 300 } as const;
  const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, options);
  console.log(precision, await shareModel(t5, randomFrom(Number(seed)), Number(requests)));
  await t5.dispose();
}
