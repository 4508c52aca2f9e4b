// Runs the trials of the tokenizer suite in JavaScript: passes over the texts, and a digest of the ids.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { argv, stdout } from "node:process";
import { longestHold } from "./event-loop.mjs";

const MICROSECONDS = 1e3;
const NANOSECONDS = 1e6;
const WORD = "internationalization";
/** The number of units that are encoded for each length of the word. */
const UNITS_PER_CASE = 2 ** 21;

/**
 * Loads a tokenizer, measures it, and prints the results. `load(directory)` resolves to `encode(text)`, which returns ids,
 * `encodeBatch(texts)`, whose result is ignored, and optionally `encodeBatchAsync(texts)`.
 */
export async function runTokenizerTrial(load) {
  const { directories, warmups, repetitions, cases } = JSON.parse(argv[2]);
  const started = performance.now();
  const tokenizer = await load(directories.model);
  const loaded = performance.now() - started;
  const corpus = JSON.parse(readFileSync(directories.texts, "utf8"));
  const measured = [];
  for (const one of cases) {
    const result = await measureCase(one, { tokenizer, corpus, warmups, repetitions, loaded });
    if (result) measured.push({ case: one.name, unit: one.unit, ...result });
  }
  stdout.write(`${JSON.stringify({ cases: measured })}\n`);
}

async function measureCase(one, { tokenizer, corpus, warmups, repetitions, loaded }) {
  const { encode, encodeBatch, encodeBatchAsync } = tokenizer;
  if (one.name === "load") return { samples: [loaded] };
  if (one.hold) {
    if (!encodeBatchAsync) return undefined;
    const many = Array.from({ length: one.hold }, () => corpus.batch).flat();
    const samples = [];
    for (let i = 0; i < repetitions; i++) samples.push(await longestHold(() => encodeBatchAsync(many)));
    return { samples: [Math.max(...samples)] };
  }
  if (one.word) {
    if (!encodeBatchAsync) return undefined;
    const text = `a${WORD.repeat(Math.ceil(one.word / WORD.length))}`;
    const samples = passes(() => encode(text), warmups, Math.max(3, UNITS_PER_CASE / one.word));
    return { samples: samples.map((milliseconds) => (milliseconds * NANOSECONDS) / text.length) };
  }
  const texts = corpus.texts[one.texts] ?? corpus.batch;
  const pass = texts === corpus.batch ? () => encodeBatch(texts) : () => texts.map((text) => encode(text));
  const samples = passes(pass, warmups, repetitions).map((milliseconds) => (milliseconds * MICROSECONDS) / one.count);
  return { samples, check: { rows: [digest(texts.map((text) => encode(text)))] } };
}

function passes(run, warmups, repetitions) {
  const samples = [];
  for (let i = -warmups; i < repetitions; i++) {
    const started = performance.now();
    run();
    if (i >= 0) samples.push(performance.now() - started);
  }
  return samples;
}

function digest(rows) {
  const hash = createHash("sha256");
  for (const ids of rows) hash.update(new Uint8Array(Int32Array.from(ids).buffer));
  return hash.digest("hex");
}
