// Makes the allocations of calls fail, one after another, in the precision of the first argument. Each call is the first
// of its model, which has no memory to reuse yet. Fails unless it rejects with ERR_OUT_OF_MEMORY, and the model then
// gives the same call the answer of a model whose allocations do not fail. The second argument: "all" allocations, or
// "some". Prints how many have failed, and the resident memory after each kind of call.
//
// The process runs with failing_allocations.node in LD_PRELOAD.
import assert from "node:assert/strict";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import { demoModel, type Precision, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { digest } from "../../property/load.js";
import { failingAllocations } from "./failing-allocations.js";

const PRECISION = process.argv[2] as Precision;
const FAILS_ALL = process.argv[3] === "all";
/** Smaller allocations hardly fail. */
const MIN_BYTES = 1024;

const { failAt, failedCount } = failingAllocations();
const load = () =>
  T5ForConditionalGeneration.fromPretrained(demoModel, { device: "cpu", precision: PRECISION, intraOpThreads: 2 });
const rows = (count: number, length: number) =>
  Array.from({ length: count }, (_, row) => Array.from({ length }, (_, at) => 3 + ((row * 131 + at * 17) % 390)));
const input = { inputIds: rows(4, 24) };
const generated = { maxNewTokens: 4, eosTokenId: [] };

type Call = (t5: T5ForConditionalGeneration) => Promise<unknown>;

const kinds: Readonly<Record<string, Call>> = {
  forward: (t5) => t5.forward({ ...input, decoderInputIds: rows(4, 9) }),
  loss: (t5) => t5.forward({ ...input, labels: rows(4, 9) }, { loss: true, topK: 5, hiddenStates: true }),
  embed: async (t5) => (await t5.embed(input)).data,
  score: (t5) => t5.score({ inputIds: rows(1, 24) }, rows(5, 7)),
  "greedy search": (t5) => t5.generate(input, generated),
  sampling: (t5) => t5.generate(input, { ...generated, doSample: true, seed: 3, topK: 30, topP: 0.9, typicalP: 0.9 }),
  beams: (t5) => t5.generate(input, { ...generated, numBeams: 3, numReturnSequences: 2, returnScores: true }),
  processors: (t5) =>
    t5.generate(input, { ...generated, repetitionPenalty: 1.3, noRepeatNgramSize: 2, stopStrings: ["zzz"] }),
  "own processor": (t5) =>
    t5.generate(input, { ...generated, logitsProcessor: ({ logits }) => void logits.data.fill(9, 7, 8) }),
  stream: async (t5) => {
    const tokens: number[] = [];
    for await (const { tokenId } of t5.stream(input, generated)) tokens.push(tokenId);
    return tokens;
  },
  session: async (t5) => {
    const encoded = await t5.encode(input);
    try {
      const session = encoded.startDecoding();
      const first = await session.prefill(rows(4, 3));
      session.reorder([3, 2, 1, 0]);
      const second = await session.step([[5], [6], [7], [8]]);
      session.dispose();
      return [first.logits, second.logits];
    } finally {
      encoded.dispose();
    }
  },
  together: (t5) =>
    Promise.all(rows(3, 20).map((row) => t5.generate({ inputIds: [row] }, { ...generated, numBeams: 2 }))),
};

/** Whether an allocation of the call failed. A merged pass without memory is repeated call by call, with success. */
async function failsAt(n: number, call: Call, answer: string): Promise<boolean> {
  const t5 = await load();
  const before = failedCount();
  failAt(n, MIN_BYTES);
  try {
    assert.equal(digest(await call(t5)), answer);
  } catch (thrown) {
    assert.ok(thrown instanceof T5Error && thrown.code === "ERR_OUT_OF_MEMORY", String(thrown));
    assert.ok(failedCount() > before, "an allocation failed");
  } finally {
    failAt(0, 0);
  }
  const hasFailed = failedCount() > before;
  if (hasFailed) assert.equal(digest(await call(t5)), answer, `the answer after allocation ${n} failed`);
  // A call leaves the scheduler after its promise has settled. Ends with the test's time where one never does.
  while (t5.stats().running > 0) await setImmediate();
  const { waiting, cacheBytes } = t5.stats();
  assert.deepEqual({ waiting, cacheBytes }, { waiting: 0, cacheBytes: 0 });
  await t5.dispose();
  return hasFailed;
}

const counts: Record<string, number> = {};
const rss: number[] = [];
const measure = () => {
  globalThis.gc?.();
  rss.push(Math.round(process.memoryUsage.rss() / 2 ** 20));
};
for (const [kind, call] of Object.entries(kinds)) {
  const t5 = await load();
  const answer = digest(await call(t5));
  await t5.dispose();
  for (let n = 1; await failsAt(n, call, answer); n += FAILS_ALL ? 1 : 2 * n) counts[kind] = (counts[kind] ?? 0) + 1;
  measure();
}
console.log(JSON.stringify({ counts, rss }));
