// Generates with the embedded model, alone and with several callers at the same time: `node generation.mjs <device> <precision>`.
import { argv } from "node:process";
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const [device, precision] = argv.slice(2);
const CALLERS = [3, 5, 9];
const OPTIONS = { maxNewTokens: 12, eosTokenId: [] };

const batching = precision === "exact" ? undefined : true;
const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device, precision, batching });
const input = (length) => ({ inputIds: [Array.from({ length }, (_, index) => 5 + index)] });
for (const length of CALLERS) await t5.generate(input(length), OPTIONS);
await Promise.all(CALLERS.map((length) => t5.generate(input(length), { ...OPTIONS, maxNewTokens: 4 * length })));
for await (const _ of t5.stream(input(7), OPTIONS));
await t5.dispose();
