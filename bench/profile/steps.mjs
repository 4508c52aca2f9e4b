// Decodes steps for a profiler, and prints the mean time of a step as a line of JSON for each setting: `node steps.mjs <JSON>`, with
// `device`, `directory` (default: the benchmark's t5-small), `steps`, and `settings`, a list of precisions and batch sizes.
import { argv, stdout } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";
import { prepareExport } from "../preparing/exports.mjs";
import { makeIds } from "../trials/node/ids.mjs";

const SOURCE_LENGTH = 32;
/** Steps before those that are measured: they allocate memory, and choose kernels or capture graphs. */
const WARMUPS = 8;

const { device, directory, steps, settings } = JSON.parse(argv[2]);

for (const { precision, batch } of settings) {
  const model = directory ?? (await prepareExport("t5-small", "torch-t5"));
  const t5 = await T5ForConditionalGeneration.fromPretrained(model, { device, precision });
  const source = makeIds(batch, SOURCE_LENGTH).map((row) => row.map((id) => id % t5.config.vocabSize));
  const encoded = await t5.encode({ inputIds: source });
  const session = encoded.startDecoding();
  const step = async () => (await session.step(source.map(([id]) => [id]))).logits.dispose();
  for (let i = 0; i < WARMUPS; i++) await step();
  const started = performance.now();
  for (let i = 0; i < steps; i++) await step();
  stdout.write(`${JSON.stringify({ precision, batch, milliseconds: (performance.now() - started) / steps })}\n`);
  session.dispose();
  encoded.dispose();
  await t5.dispose();
}
