// Documents sorted by their relevance to a query, and the same decision from the scores of "true" and "false".
//   node examples/rerank.mjs ["doctor of Thornby"] [document ...]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const [query = "doctor of Thornby", ...given] = argv.slice(2);
const documents =
  given.length > 0
    ? given
    : [
        "In Thornby the flag is brown. Its market day is Friday.",
        "Jorwick's population is 9191. Its doctor is Pavel.",
        "In Thornby the flag is brown. Its doctor is Mona.",
      ];
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

const ranked = await t5.rerank(query, documents);
for (const { probability, document } of ranked) console.log(`${probability.toFixed(4)}  ${document}`);

const source = `Query: ${query} Document: ${ranked[0].document} Relevant:`;
const answers = ["true", "false"];
const scores = await t5.score(source, answers);
for (const [index, { score }] of scores.entries())
  console.log(`log-probability of ${answers[index]}: ${score.toFixed(4)}`);

await t5.dispose();
