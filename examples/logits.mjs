// Logits without labels: their shape and first values.
//   node examples/logits.mjs ["spell number: 48213"]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const text = argv[2] ?? "spell number: 48213";
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

// Without labels and decoder ids the decoder reads its start id: these are the logits of the answer's first token.
const { logits } = await t5.forward(text);
console.log(`shape: [${logits.shape.join(", ")}]`); // [batch, targetLength, vocabSize]
console.log(`first values: ${logits.data.slice(0, 8).join(", ")}`);

await t5.dispose();
