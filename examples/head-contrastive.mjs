// A contrastive similarity matrix, computed on the device: every query with every document, [queries, documents].
// The first run builds the head with heads/contrastive.py.
//   node examples/head-contrastive.mjs [contrastive.pt]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";
import { buildHead } from "./heads/build.mjs";

const [path = "contrastive.pt"] = argv.slice(2);
const queries = ["date to iso: March 5, 2021", "date to iso: 24 August 2033", "spell number: 48213"];
const documents = ["date to iso: 5 Mar 2021", "date to iso: Aug 24, 2033", "spell number: 48214"];
buildHead("contrastive", path);
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

const head = await t5.loadHead(path);
// The head reads queries from the first half of the batch, and documents from the second half.
const { headOutput } = await t5.forward([...queries, ...documents], { head });
for (const [index, query] of queries.entries()) {
  const row = headOutput.row(index);
  const nearest = documents[row.indexOf(Math.max(...row))];
  console.log(`${[...row].map((similarity) => similarity.toFixed(2)).join("  ")}  ${query} ~ ${nearest}`);
}

head.dispose();
await t5.dispose();
