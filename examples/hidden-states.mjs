// The last hidden states of encoder and decoder.
//   node examples/hidden-states.mjs ["date to iso: March 5, 2021"]
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const text = argv[2] ?? "date to iso: March 5, 2021";
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel);

// The result always has logits; this selects the smallest part of them.
const few = { positions: "last", tokens: [t5.config.eosTokenId] };
const { encoderLastHiddenState, decoderLastHiddenState } = await t5.forward(text, { hiddenStates: true, ...few });

for (const [name, states] of Object.entries({ encoderLastHiddenState, decoderLastHiddenState })) {
  console.log(`${name}: [${states.shape.join(", ")}]`); // [batch, length, dModel]
  console.log(`  first position: ${states.row(0, 0).slice(0, 6).join(", ")}`);
}

await t5.dispose();
