// Logits to text with argmax alone: append the best next token to the decoder's input until the end of sequence.
//   node examples/argmax-to-text.mjs ["spell number: 48213"]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const MAX_NEW_TOKENS = 32;

const text = argv[2] ?? "spell number: 48213";
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

const ids = [t5.config.decoderStartTokenId];
while (ids.length <= MAX_NEW_TOKENS && ids.at(-1) !== t5.config.eosTokenId) {
  // Only the logits of the last position are copied out of native memory.
  const { logits } = await t5.forward({ text, decoderInputIds: [ids] }, { positions: "last" });
  ids.push(logits.argmax().data[0]);
  logits.dispose();
}
console.log(t5.tokenizer.decode(ids, { skipSpecialTokens: true }));

await t5.dispose();
