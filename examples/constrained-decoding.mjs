// Allow only given answers: a logits processor excludes every token that is not in a trie of the answers. Works with beams.
//   node examples/constrained-decoding.mjs ["spell number: 17"] [seven seventeen seventy]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const [text = "spell number: 17", ...given] = argv.slice(2);
const answers = given.length > 0 ? given : ["seven", "seventeen", "seventy", "seventy-one"];
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

// Each node maps a token id to the node of the tokens that may follow. Every answer ends with the end-of-sequence id.
const trie = new Map();
for (const answer of answers) {
  let node = trie;
  for (const id of t5.tokenizer.encode(answer).ids) node = node.get(id) ?? node.set(id, new Map()).get(id);
}

const { texts, sequenceScores } = await t5.generate(text, {
  numBeams: 2,
  numReturnSequences: 2,
  returnScores: true,
  logitsProcessor({ sequences, logits }) {
    for (let row = 0; row < logits.shape[0]; row++) {
      const written = sequences.row(row).subarray(1); // after the decoder start id
      const allowed = written.reduce((node, id) => node?.get(id), trie);
      if (allowed === undefined) continue; // this row has ended
      const scores = logits.row(row);
      const kept = [...allowed.keys()].map((id) => [id, scores[id]]);
      scores.fill(Number.NEGATIVE_INFINITY);
      for (const [id, score] of kept) scores[id] = score;
    }
  },
});
for (const [rank, answer] of texts.entries()) console.log(`${sequenceScores.data[rank].toFixed(4)}  ${answer}`);

await t5.dispose();
