// torch-t5 exact beside Hugging Face's generate: the same weights, ids and threads; one fresh process a trial, interleaved. Both
// are told of no end id, so that every row gets exactly as many tokens; the tokens must be the same ones.
import { prepareCheckpoint } from "../checkpoint.mjs";
import { runTrial } from "../processes.mjs";
import { median, spread } from "../statistics.mjs";

const NEW_TOKENS = 64;
const SOURCE_LENGTH = 32;
// A generation takes as long as dozens of forwards.
const FORWARDS_PER_REPETITION = 5;
const CASES = [
  { name: "greedy, batch 1", batch: 1, numBeams: 1 },
  { name: "greedy, batch 8", batch: 8, numBeams: 1 },
  { name: "greedy, batch 32", batch: 32, numBeams: 1 },
  { name: "4 beams, batch 1", batch: 1, numBeams: 4 },
];

/** Markdown of the suite. */
export async function generate({ threads, trials, repetitions }) {
  const { huggingFace, exported } = await prepareCheckpoint();
  const request = {
    threads,
    cases: CASES,
    sourceLength: SOURCE_LENGTH,
    newTokens: NEW_TOKENS,
    warmups: 1,
    repetitions: Math.max(1, Math.round(repetitions / FORWARDS_PER_REPETITION)),
  };
  const ours = CASES.map(() => []);
  const theirs = CASES.map(() => []);
  for (let trial = 0; trial < trials; trial++) {
    const results = {};
    const peers = [
      async () => {
        results.theirs = await runTrial("generate_hugging_face.py", { ...request, directory: huggingFace });
      },
      async () => {
        results.ours = await runTrial("generate-torch-t5.mjs", { ...request, directory: exported });
      },
    ];
    for (const peer of trial % 2 === 0 ? peers : peers.reverse()) await peer();
    compareTokens(results.ours.sequences, results.theirs.sequences);
    collect(ours, results.ours);
    collect(theirs, results.theirs);
  }
  const rows = CASES.map(({ name, batch }, index) => {
    const [us, them] = [ours[index], theirs[index]];
    return `| ${name} | ${cell(them, batch)} | ${cell(us, batch)} | ${(median(them) / median(us)).toFixed(2)} |`;
  });
  return [
    `## generate: ${NEW_TOKENS} tokens behind ${SOURCE_LENGTH} source tokens, milliseconds a call (median of trial medians, ± half the`,
    "interquartile range), and tokens a second; the tokens are the same",
    "",
    "| | Hugging Face eager | torch-t5 exact | ratio |",
    "|---|---|---|---|",
    ...rows,
  ].join("\n");
}

function compareTokens(ours, theirs) {
  for (const [index, { name }] of CASES.entries()) {
    if (JSON.stringify(ours[index]) === JSON.stringify(theirs[index])) continue;
    throw new Error(`Expected Hugging Face's tokens for ${name} but torch-t5 gave others`);
  }
}

function collect(samples, { times }) {
  for (const [index, values] of times.entries()) samples[index].push(median(values));
}

function cell(values, batch) {
  const tokensPerSecond = (batch * NEW_TOKENS * 1000) / median(values);
  return `${median(values).toFixed(0)} ms ± ${(spread(values) * 100).toFixed(0)} %, ${tokensPerSecond.toFixed(0)} tokens/s`;
}
