// An answer, piece by piece as it is generated. No token is computed ahead of the loop; leaving the loop ends the work.
//   node examples/streaming.mjs ["spell number: 48213"]
import { argv, stdout } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const text = argv[2] ?? "spell number: 48213";
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

for await (const piece of t5.stream(text, { maxNewTokens: 32 })) stdout.write(piece.text);
stdout.write("\n");

await t5.dispose();
