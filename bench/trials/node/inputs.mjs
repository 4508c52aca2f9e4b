// A trial of torch-t5: the delay of the event loop while large inputs of the embedded model are read.
import { argv, stdout } from "node:process";
import { T5ForConditionalGeneration } from "torch-t5";
import { measureDelay } from "./event-loop.mjs";

const MEGABYTE = 1e6;
const NUMBERS = ["seven", "thirteen", "forty-two", "one hundred", "nine thousand"];

const { directories, threads, warmups, repetitions, cases } = JSON.parse(argv[2]);
// The model that a text of a megabyte is too long for refuses it once it is tokenized.
const [t5, exact] = await Promise.all(
  ["float32", "exact"].map((precision) =>
    T5ForConditionalGeneration.fromPretrained(directories.model, { device: "cpu", intraOpThreads: threads, precision }),
  ),
);
const texts = (count) =>
  Array.from({ length: count }, (_, index) => `spell number: ${NUMBERS[index % 5]} and ${index}`);
const megabyte = texts(MEGABYTE / 20)
  .join(" ")
  .slice(0, MEGABYTE);
const ids = [Array.from({ length: 1e6 }, (_, index) => 3 + (index % 100))];
const refused = (call) => call.then(() => Promise.reject(new Error("not refused")), checkMemory);
const calls = {
  "embed of 2,000 texts": () => t5.embed(texts(2000)),
  "forward of a text of 1 MB, too long for attention": () => refused(exact.forward(megabyte)),
  "encodeBatchAsync of a text of 1 MB": () => t5.tokenizer.encodeBatchAsync([megabyte]),
  "score of 1,000 targets": () => t5.score("spell number: 7", texts(1000)),
  "forward of 1,000,000 ids, too many for attention": () => refused(exact.forward({ inputIds: ids })),
  "generate of 256 rows of 64 tokens": () => t5.generate(texts(256), { maxNewTokens: 64, eosTokenId: [] }),
};

const measured = [];
for (const { name, unit } of cases) {
  for (let i = 0; i < warmups; i++) await calls[name]();
  const delays = await measureDelay(async () => {
    for (let i = 0; i < repetitions; i++) await calls[name]();
  });
  for (const [of, delay] of Object.entries(delays)) measured.push({ case: `${name}: ${of}`, unit, samples: [delay] });
}
await Promise.all([t5.dispose(), exact.dispose()]);
stdout.write(`${JSON.stringify({ cases: measured })}\n`);

function checkMemory(error) {
  if (error.code !== "ERR_OUT_OF_MEMORY") throw error;
}
