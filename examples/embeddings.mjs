// The nearest neighbour of each text, by the cosine of embeddings: a dot product, as the vectors have length 1.
//   node examples/embeddings.mjs [text ...]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const texts =
  argv.length > 2
    ? argv.slice(2)
    : [
        "date to iso: March 5, 2021",
        "spell number: 48213",
        "date to iso: 5 Mar 2021",
        "spell number: 48214",
        "Query: doctor of Thornby Document: Its doctor is Mona. Relevant:",
      ];
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

const embeddings = await t5.embed(texts, { normalize: true }); // [texts, dModel]
const dot = (one, other) => one.reduce((sum, value, index) => sum + value * other[index], 0);
for (const [index, text] of texts.entries()) {
  const others = texts.map((_, other) => (other === index ? -1 : dot(embeddings.row(index), embeddings.row(other))));
  const nearest = others.indexOf(Math.max(...others));
  console.log(`${text}\n  ${others[nearest].toFixed(3)}  ${texts[nearest]}`);
}

await t5.dispose();
