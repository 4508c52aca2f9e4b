// Your own decoding rule: temperature and top-k over `logits.data`, with a seed for repeatable answers.
//   node examples/custom-sampling.mjs ["spell number: 48213"] [temperature] [topK] [seed]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const MAX_NEW_TOKENS = 32;

const [text = "spell number: 48213", temperature = "0.7", topK = "5", seed = "1"] = argv.slice(2);
const random = makeRandom(Number(seed));
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

const ids = [t5.config.decoderStartTokenId];
while (ids.length <= MAX_NEW_TOKENS && ids.at(-1) !== t5.config.eosTokenId) {
  const { logits } = await t5.forward({ text, decoderInputIds: [ids] }, { positions: "last" });
  ids.push(sample(logits.data, Number(temperature), Number(topK)));
  logits.dispose();
}
console.log(t5.tokenizer.decode(ids, { skipSpecialTokens: true }));

await t5.dispose();

/** Draws one of the `k` best ids, with the softmax of their logits divided by the temperature. */
function sample(logits, temperature, k) {
  const best = Array.from(logits.keys())
    .sort((a, b) => logits[b] - logits[a])
    .slice(0, k);
  const weights = best.map((id) => Math.exp((logits[id] - logits[best[0]]) / temperature));
  let remaining = random() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [rank, id] of best.entries()) {
    remaining -= weights[rank];
    if (remaining < 0) return id;
  }
  return best[0];
}

/** A generator of numbers in [0, 1): linear congruential, with the constants of Numerical Recipes. */
function makeRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
