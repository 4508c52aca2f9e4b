// One process of torch-t5's tokenizer: nanoseconds a UTF-16 unit of texts that are one word, at growing lengths.
import { argv, stdout } from "node:process";
import { T5Tokenizer } from "torch-t5";
import { median } from "../statistics.mjs";

const UNITS = { letters: "internationalization", "marks on one letter": "\u0301" };
/** As many units in all at each length. */
const TOTAL = 2 ** 21;

const { directory, lengths } = JSON.parse(argv[2]);
const tokenizer = await T5Tokenizer.fromPretrained(directory);
for (let i = 0; i < 200; i++) tokenizer.encode(`a${UNITS.letters}\u0301`.repeat(100));
const measured = Object.entries(UNITS).map(([name, unit]) => [
  name,
  lengths.map((length) => {
    const text = `a${unit.repeat(Math.ceil(length / unit.length))}`;
    const samples = Array.from({ length: Math.max(3, TOTAL / length) }, () => {
      const begun = performance.now();
      tokenizer.encode(text);
      return performance.now() - begun;
    });
    return (median(samples) * 1e6) / text.length;
  }),
]);
stdout.write(`${JSON.stringify(measured)}\n`);
