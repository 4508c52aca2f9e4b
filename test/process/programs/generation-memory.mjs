// Prints the resident memory in MB after a warm-up and after five hundred generations. Two in five are aborted; others
// are broken out of, end with an exception, or leave sessions to the garbage collector.
import { load } from "./shared.mjs";

const GENERATIONS = 500;
// By then the arenas of the allocator have their final size.
const WARMUPS = 250;
const input = { inputIds: Array.from({ length: 12 }, () => [5, 6, 7, 8, 9, 10, 1]) };
const row = { inputIds: [[5, 6, 7, 8, 9, 10, 1]] };
const options = { maxNewTokens: 16, eosTokenId: [], numBeams: 3, returnLogits: true, returnScores: true };
const steps = { maxNewTokens: 16, eosTokenId: [] };
const megabytes = () => process.memoryUsage.rss() / 2 ** 20;

const t5 = await load();
const counts = { finished: 0, aborted: 0, broken: 0, thrown: 0, dropped: 0, disposed: 0 };
const start = Array.from({ length: 12 }, () => [0]);

/** Aborts a call alternately while it runs natively and between two steps. */
async function aborted() {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = () => controller.abort();
  const isNative = counts.aborted % 2 === 0;
  if (isNative) setTimeout(abort, 10);
  const how = isNative
    ? { maxNewTokens: 100_000 }
    : {
        logitsProcessor: ({ step }) => {
          if (step === 3) abort();
        },
      };
  await t5.generate(input, { ...options, ...how, signal }).catch((error) => {
    if (error !== signal.reason) throw error;
    counts.aborted++;
  });
}

const ways = {
  finished: async () => {
    const { sequences } = await t5.generate(input, options);
    if (sequences.shape[1] === 17) counts.finished++;
  },
  aborted,
  broken: async () => {
    for await (const { logits } of t5.stream(row, { ...steps, returnLogits: true })) {
      if (logits.shape[1] !== t5.config.vocabSize) throw new Error("logits of another shape");
      counts.broken++;
      break;
    }
  },
  thrown: async () => {
    const logitsProcessor = () => {
      throw new Error("thrown on purpose");
    };
    await t5.generate(input, { ...options, logitsProcessor }).catch((error) => {
      if (/on purpose/.test(String(error.cause ?? error))) counts.thrown++;
    });
  },
  dropped: async () => {
    const encoded = await t5.encode(input);
    const session = encoded.startDecoding();
    await session.step(start);
    const fork = session.fork();
    fork.reorder([0, 0, 1, 2]);
    await fork.step(start.slice(0, 4));
    counts.dropped++;
  },
  disposed: async () => {
    const encoded = await t5.encode(input);
    const session = encoded.startDecoding();
    encoded.dispose();
    await session.step(start);
    const fork = session.fork();
    session.dispose();
    await fork.step(start);
    fork.dispose();
    counts.disposed++;
  },
};

// Ten calls in turn: four are aborted, and each other way occurs once or twice.
const TURN = [
  "aborted",
  "finished",
  "broken",
  "aborted",
  "thrown",
  "dropped",
  "aborted",
  "disposed",
  "finished",
  "aborted",
];
const turn = process.argv[2] === undefined ? TURN : [process.argv[2]];
const run = async (times) => {
  for (let i = 0; i < times; i++) await ways[turn[i % turn.length]]();
};

await run(WARMUPS);
for (const way of Object.keys(counts)) counts[way] = 0;
const before = megabytes();
await run(GENERATIONS);
const after = megabytes();
const { logits, scores } = await t5.generate(input, options);
const bytes = [...logits, ...scores].reduce((sum, { data }) => sum + data.byteLength, 0);
console.log(JSON.stringify({ before, after, moved: (GENERATIONS * bytes) / 2 ** 20, counts }));
await t5.dispose();
