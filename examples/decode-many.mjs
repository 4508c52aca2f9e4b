// One encoding, several decodings: each of the best first tokens is continued to an answer. The encoder runs once.
//   node examples/decode-many.mjs ["spell number: 48213"] [3]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const MAX_NEW_TOKENS = 32;

const [text = "spell number: 48213", count = "3"] = argv.slice(2);
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

const encoded = await t5.encode(text);
const start = encoded.startDecoding();
const { logits } = await start.step([[t5.config.decoderStartTokenId]]); // [1, 1, vocabSize]
const logProbs = logits.logSoftmax();
for (const first of logits.topK(Number(count)).indices.data) {
  console.log(await continueGreedily(start.fork(), first, logProbs.data[first]));
}
start.dispose();
encoded.dispose();
await t5.dispose();

/** Continues greedily from a first token. Returns the answer's log-probability and its text. */
async function continueGreedily(session, first, logProb) {
  const ids = [first];
  let total = logProb;
  while (ids.at(-1) !== t5.config.eosTokenId && ids.length < MAX_NEW_TOKENS) {
    const { logits } = await session.step([[ids.at(-1)]]);
    const best = logits.argmax().data[0];
    total += logits.logSoftmax().data[best];
    ids.push(best);
    logits.dispose();
  }
  session.dispose();
  return `${total.toFixed(4)}  ${t5.tokenizer.decode(ids, { skipSpecialTokens: true })}`;
}
