// torch-t5 exact beside Hugging Face eager: the same weights, ids and threads; one fresh process a trial, interleaved.
import { prepareCheckpoint } from "../checkpoint.mjs";
import { runTrial } from "../processes.mjs";
import { median, spread } from "../statistics.mjs";

const SHAPES = [
  [1, 16, 1],
  [1, 32, 16],
  [1, 128, 32],
  [8, 32, 16],
  [8, 128, 64],
];

/** Markdown of the suite. */
export async function forward({ threads, trials, repetitions }) {
  const { huggingFace, exported } = await prepareCheckpoint();
  const request = { threads, shapes: SHAPES, warmups: 3, repetitions };
  const ours = SHAPES.map(() => []);
  const theirs = SHAPES.map(() => []);
  for (let trial = 0; trial < trials; trial++) {
    const peers = [
      async () => collect(theirs, await runTrial("forward_hugging_face.py", { ...request, directory: huggingFace })),
      async () => collect(ours, await runTrial("forward-torch-t5.mjs", { ...request, directory: exported })),
    ];
    for (const peer of trial % 2 === 0 ? peers : peers.reverse()) await peer();
  }
  const rows = SHAPES.map((shape, index) => {
    const [us, them] = [ours[index], theirs[index]];
    return `| (${shape}) | ${cell(them)} | ${cell(us)} | ${(median(them) / median(us)).toFixed(2)} |`;
  });
  return [
    "## forward: milliseconds a call (median of trial medians, ± half the interquartile range)",
    "",
    "| (batch, encoder, decoder) | Hugging Face eager | torch-t5 exact | ratio |",
    "|---|---|---|---|",
    ...rows,
  ].join("\n");
}

function collect(samples, { times }) {
  for (const [index, values] of times.entries()) samples[index].push(median(values));
}

const cell = (values) => `${median(values).toFixed(1)} ± ${(spread(values) * 100).toFixed(0)} %`;
