// A classifier over T5: a TorchScript head reads the encoder's hidden states on the device; only its output is copied.
// The first run builds the head with heads/classifier.py.
//   node examples/head-classifier.mjs [classifier.pt] ["spell number: 12" ...]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { buildHead } from "./heads/build.mjs";

const LABELS = ["date", "number", "relevance"]; // in the order of classifier.py

const [path = "classifier.pt", ...given] = argv.slice(2);
const texts = given.length > 0 ? given : ["spell number: 12", "date to iso: 1 May 1999"];
buildHead("classifier", path);
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

// The head's parameters name what it reads: encoder_last_hidden_state [batch, length, dModel] and attention_mask.
const head = await t5.loadHead(path);
const { headOutput } = await t5.forward(texts, { head }); // [batch, labels]
const probabilities = headOutput.softmax();
const best = headOutput.argmax();
for (const [index, text] of texts.entries()) {
  const label = best.data[index];
  console.log(`${LABELS[label]} ${probabilities.row(index)[label].toFixed(2)}  ${text}`);
}

head.dispose();
await t5.dispose();
