// What the JavaScript trials of the tokenizer suite share: passes over the texts, and a digest of the ids.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv, stdout } from "node:process";
import { median } from "../statistics.mjs";

/**
 * Loads a tokenizer and prints what the suite wants to know. `load(directory)` gives `encode(text)`, ids of one text, and
 * `encodeBatch(texts)`, which is only timed.
 */
export async function runTokenizerTrial(load) {
  const { directory, texts: file, warmups, repetitions } = JSON.parse(argv[2]);
  const started = performance.now();
  const tokenizer = await load(directory);
  const loaded = performance.now() - started;
  const { texts, batch } = JSON.parse(readFileSync(file, "utf8"));
  const measure = (encode) => {
    const samples = [];
    for (let i = -warmups; i < repetitions; i++) {
      const begun = performance.now();
      encode();
      if (i >= 0) samples.push(performance.now() - begun);
    }
    return median(samples);
  };
  const digest = (rows) => {
    const hash = createHash("sha256");
    for (const ids of rows) hash.update(new Uint8Array(Int32Array.from(ids).buffer));
    return hash.digest("hex");
  };
  const encodeAll = (all) => all.map((text) => tokenizer.encode(text));
  const cases = Object.fromEntries(
    Object.entries(texts).map(([name, all]) => [
      name,
      { milliseconds: measure(() => encodeAll(all)), ids: digest(encodeAll(all)) },
    ]),
  );
  cases.batch = { milliseconds: measure(() => tokenizer.encodeBatch(batch)), ids: digest(encodeAll(batch)) };
  stdout.write(`${JSON.stringify({ load: loaded, cases })}\n`);
}
