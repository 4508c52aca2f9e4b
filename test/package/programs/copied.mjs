// Prints the numbers of a result, and the bytes of its buffer before and after `dispose()`: a buffer that is libtorch's memory is
// detached, a copy is not.
import { demoModel, T5ForConditionalGeneration } from "torch-t5";

const t5 = await T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", intraOpThreads: 1 });
const { logits } = await t5.forward("spell number: 7");
const { texts, sequences } = await t5.generate("spell number: 7", { numBeams: 2 });
const { buffer } = logits.data;
const report = { texts, logits: [...logits.data], sequences: [...sequences.data], before: buffer.byteLength };
logits.dispose();
console.log(JSON.stringify({ ...report, length: logits.data.length, after: buffer.byteLength }));
await t5.dispose();
