// torch-t5's tokenizer beside Rust's (one thread, through Python) and plain `@huggingface/tokenizers`: the same texts, one fresh
// process a trial, interleaved. torch-t5 must give Rust's ids.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/setup/paths.mjs";
import { runPython, runTrial } from "../processes.mjs";
import { median, spread } from "../statistics.mjs";

const WARMUPS = 8;
const LENGTHS = [2 ** 8, 2 ** 12, 2 ** 16, 2 ** 20];
const PEERS = {
  rust: "tokenizer_rust.py",
  plain: "tokenizer-plain.mjs",
  "torch-t5": "tokenizer-torch-t5.mjs",
};
/** How many texts the file has of each, see ../tokenizer_inputs.py. */
const TEXTS = { "20 words": 200, "200 words": 40, "2,000 words": 8, batch: 1 };
const NAMES = { batch: "a batch of 256 texts" };

/** Markdown of the suite. */
export async function tokenizer({ trials, repetitions }) {
  const work = join(root, "bench", ".work", "tokenizer");
  await runPython([join(root, "bench", "tokenizer_inputs.py"), work]);
  const t5 = join(root, "..", "shared", "t5-tokenizer");
  const tokenizers = {
    ...(existsSync(t5) ? { "T5, 32,100 pieces": t5 } : { "the embedded model": join(root, "models", "demo") }),
    "250,100 pieces": join(work, "mt5"),
  };
  const parts = [];
  for (const [name, directory] of Object.entries(tokenizers)) {
    const request = { directory, texts: join(work, "texts.json"), warmups: WARMUPS, repetitions };
    parts.push(...(await compare(name, request, trials)), "");
  }
  parts.push(...(await compareLengths(Object.values(tokenizers)[0])));
  return parts.join("\n");
}

async function compare(name, request, trials) {
  const results = Object.fromEntries(Object.keys(PEERS).map((peer) => [peer, []]));
  const holds = [];
  for (let trial = 0; trial < trials; trial++) {
    const order = Object.entries(PEERS);
    for (const [peer, file] of trial % 2 === 0 ? order : order.reverse())
      results[peer].push(await runTrial(file, request));
    compareIds(results["torch-t5"].at(-1).cases, results.rust.at(-1).cases);
    holds.push(await runTrial("tokenizer-event-loop.mjs", request));
  }
  const row = (label, values, unit) => {
    const of = (peer) => results[peer].map(values);
    const cell = (peer) => `${unit(median(of(peer)))} ± ${(spread(of(peer)) * 100).toFixed(0)} %`;
    const ratio = (peer) => (median(of(peer)) / median(of("torch-t5"))).toFixed(2);
    const cells = [label, cell("rust"), cell("plain"), cell("torch-t5"), ratio("rust"), ratio("plain")];
    return `| ${cells.join(" | ")} |`;
  };
  const microseconds = (count) => (milliseconds) => `${((milliseconds * 1000) / count).toFixed(1)} µs`;
  const milliseconds = (value) => `${value.toFixed(1)} ms`;
  const longest = (of) => Math.max(...holds.map((hold) => hold[of])).toFixed(1);
  return [
    `## tokenizer, ${name}: time a text (median of trial medians, ± half the interquartile range)`,
    "",
    "| | Rust, one thread, from Python | @huggingface/tokenizers | torch-t5 | Rust / torch-t5 | plain / torch-t5 |",
    "|---|---|---|---|---|---|",
    ...Object.entries(TEXTS).map(([text, count]) =>
      row(NAMES[text] ?? text, ({ cases }) => cases[text].milliseconds, microseconds(count)),
    ),
    row("load", ({ load }) => load, milliseconds),
    "",
    `Longest hold of the event loop by encodeBatchAsync, worst of all trials: ${longest("batch")} ms for 256 texts,` +
      ` ${longest("many")} ms for 4,096.`,
  ];
}

/** Time must grow with the length, not faster. */
async function compareLengths(directory) {
  const measured = await runTrial("tokenizer-lengths.mjs", { directory, lengths: LENGTHS });
  return [
    "### one word, nanoseconds a UTF-16 unit",
    "",
    `| | ${LENGTHS.map((length) => `${length} units`).join(" | ")} |`,
    `|---|${LENGTHS.map(() => "---|").join("")}`,
    ...measured.map(([name, times]) => `| ${name} | ${times.map((time) => time.toFixed(0)).join(" | ")} |`),
  ];
}

function compareIds(ours, theirs) {
  for (const [name, { ids }] of Object.entries(theirs)) {
    if (ours[name].ids !== ids) throw new Error(`Expected Rust's ids for ${name} but torch-t5 gave others`);
  }
}
