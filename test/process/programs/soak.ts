// Mixed load with faults on one process for as many seconds as the first argument says, in the precision of the second.
// With failing_allocations.node in LD_PRELOAD, allocations fail now and then.
// Prints how calls ended, and the memory in use after each round of the load. Fails at a wrong answer, a wrong error, a
// call that is lost, or an unhandled rejection.
import assert from "node:assert/strict";
import { once } from "node:events";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { demoModel, type Precision, T5Error, T5ForConditionalGeneration } from "torch-t5";
import { below, digest, type LoadRequest, type Random, randomFrom, randomRequest } from "../../property/load.js";
import { FAILING_ALLOCATIONS, failingAllocations, settledBytes } from "./failing-allocations.js";

const SECONDS = Number(process.argv[2]);
const PRECISION = process.argv[3] as Precision;
const SEED = Number(process.argv[4] ?? Date.now() % 2 ** 31);
/** After each round, every call has ended and the memory in use is measured. */
const ROUNDS = Math.max(3, Math.round(SECONDS / 20));
const CALLERS = 16;
const DISTINCT = 60;
/** Ids of an input that is aborted. */
const HUGE = 2 ** 18;
const KILL_EVERY_MS = 1500;
const FAIL_EVERY_MS = 300;
/** Far longer than any call takes: a call that is still pending then is lost. */
const LOST_MS = 60_000;
const BUSY_WORKER = new URL("./busy-worker.mjs", import.meta.url);
const LOAD_OPTIONS = { device: "cpu", precision: PRECISION, intraOpThreads: 1 } as const;

const load = (options = {}) => T5ForConditionalGeneration.fromPretrained(demoModel, { ...LOAD_OPTIONS, ...options });

const random = randomFrom(SEED);
const row = (length: number, source: Random) => Array.from({ length }, () => 3 + below(source, 390));
const open = async () => ({
  model: await load({ maxBatchSize: 24, maxBatchTokens: 300, maxInputTokens: HUGE }),
  /** Refuses calls often. */
  narrow: await load({ maxQueueLength: 2, maxBatchSize: 2 }),
});
let { model, narrow } = await open();

const requests: { readonly request: LoadRequest; readonly alone: string }[] = [];
while (requests.length < DISTINCT) {
  const request = randomRequest(random, model.config.vocabSize);
  requests.push({ request, alone: digest(await request.run(model)) });
}

/** Bytes. */
interface Memory {
  /** In use of the heap and of mappings; 0 where it can't be counted. */
  readonly native: number;
  readonly javaScript: number;
  readonly resident: number;
}

/** Where allocations can fail and are counted. */
const allocations = process.env.LD_PRELOAD === FAILING_ALLOCATIONS ? failingAllocations() : undefined;
const counts: Record<string, number> = {};
const pending = new Set<string>();
let started = 0;

/** Whether an allocation failed, also where another error was expected. */
function ranOutOfMemory(thrown: unknown): boolean {
  const error: unknown = thrown instanceof assert.AssertionError ? thrown.actual : thrown;
  return error instanceof Error && "code" in error && error.code === "ERR_OUT_OF_MEMORY";
}

/** Counts a call's outcome under the name that `run` resolves to. */
async function counted(kind: string, run: () => Promise<string>): Promise<void> {
  const name = `${kind} ${started++}`;
  pending.add(name);
  const outcome = await run().catch((thrown: unknown) => {
    if (ranOutOfMemory(thrown)) return "ERR_OUT_OF_MEMORY";
    throw thrown;
  });
  assert.ok(pending.delete(name), `${name} settled twice`);
  counts[outcome] = (counts[outcome] ?? 0) + 1;
}

/** The answer of a random request on a model; `code`: an error that is permitted. */
async function answer(t5: T5ForConditionalGeneration, code?: string): Promise<string> {
  const chosen = requests[below(random, DISTINCT)];
  assert.ok(chosen);
  try {
    assert.equal(digest(await chosen.request.run(t5)), chosen.alone, `the answer of a ${chosen.request.kind} request`);
    return "answered";
  } catch (thrown) {
    if (thrown instanceof T5Error && thrown.code === code) return code;
    throw thrown;
  }
}

async function rejected(call: () => Promise<unknown>, code: string): Promise<string> {
  await assert.rejects(call, { code });
  return code;
}

const kinds: Readonly<Record<string, () => Promise<string>>> = {
  answer: () => answer(model),
  another: () => answer(model),
  abort: async () => {
    const chosen = requests[below(random, DISTINCT)];
    assert.ok(chosen);
    const controller = new AbortController();
    const timer = globalThis.setTimeout(() => controller.abort(), below(random, 8));
    try {
      assert.equal(digest(await chosen.request.run(model, controller.signal)), chosen.alone);
      return "answered";
    } catch (thrown) {
      assert.ok(controller.signal.aborted || ranOutOfMemory(thrown), String(thrown));
      assert.equal(thrown, controller.signal.reason);
      return "aborted";
    } finally {
      clearTimeout(timer);
    }
  },
  "throwing processor": async () => {
    const error = new Error("thrown on purpose");
    const logitsProcessor = ({ step }: { readonly step: number }) => {
      if (step === 2) throw error;
    };
    const call = model.generate({ inputIds: [row(9, random)] }, { maxNewTokens: 9, eosTokenId: [], logitsProcessor });
    await assert.rejects(call, error);
    return "processor threw";
  },
  "slow stream": async () => {
    let count = 0;
    const options = { maxNewTokens: 8, eosTokenId: [] };
    for await (const { tokenId } of model.stream({ inputIds: [row(9, random)] }, options)) {
      assert.ok(tokenId >= 0);
      count++;
      await setTimeout(below(random, 12));
    }
    assert.equal(count, 8, "tokens of a slow stream");
    return "slow";
  },
  "abandoned stream": async () => {
    const options = { maxNewTokens: 500, eosTokenId: [] };
    const stream = model.stream({ inputIds: [row(9, random)] }, options);
    for (let count = below(random, 4); count >= 0; count--) await stream.next();
    return "abandoned";
  },
  "broken stream": async () => {
    for await (const { row: first } of model.stream({ inputIds: [row(9, random), row(9, random)] })) {
      assert.equal(first, 0);
      break;
    }
    return "broken";
  },
  "id out of range": () => rejected(() => model.embed({ inputIds: [[5, 399]] }), "ERR_TOKEN_OUT_OF_RANGE"),
  "wrong option": () =>
    rejected(() => model.generate({ inputIds: [[5]] }, { maxNewTokens: -1 }), "ERR_INVALID_ARGUMENT"),
  "full queue": async () => {
    await Promise.all(Array.from({ length: 6 }, () => counted("full queue", () => answer(narrow, "ERR_QUEUE_FULL"))));
    return "burst";
  },
  huge: async () => {
    // Refused where attention materializes its scores; elsewhere it would take hours.
    const inputIds = { data: new Int32Array(HUGE).fill(5), shape: [1, HUGE] as const };
    const signal = AbortSignal.timeout(40);
    const error: unknown = await model.embed({ inputIds }, { signal }).catch((thrown: unknown) => thrown);
    if (error === signal.reason) return "aborted";
    assert.ok(error instanceof T5Error && error.code === "ERR_OUT_OF_MEMORY", String(error));
    return error.code;
  },
  long: async () => {
    const vectors = await model.embed({ inputIds: [row(1500, random)] });
    assert.ok(vectors.data.every(Number.isFinite));
    return "long";
  },
  load: async () => {
    const other = await load();
    await Promise.all([answer(other, "ERR_DISPOSED"), answer(other, "ERR_DISPOSED"), other.dispose()]);
    return rejected(() => other.embed({ inputIds: [[5]] }), "ERR_DISPOSED");
  },
};
/** The frequent kinds first; the others come rarely. */
const FREQUENT = Object.keys(kinds).slice(0, 8);
const RARE = Object.keys(kinds).slice(8);
const RARE_ONE_IN = 80;

let roundEnd = 0;
const isOver = () => performance.now() >= roundEnd;

async function caller(): Promise<void> {
  while (!isOver()) {
    const names = below(random, RARE_ONE_IN) === 0 ? RARE : FREQUENT;
    const kind = names[below(random, names.length)] ?? "answer";
    const run = kinds[kind];
    assert.ok(run);
    await counted(kind, run);
    if (below(random, 8) === 0) await setTimeout(below(random, 4));
  }
}

/** Terminates one worker after another, each in the middle of its load or of its calls. */
async function killer(): Promise<void> {
  while (!isOver()) {
    const worker = new Worker(BUSY_WORKER);
    const exit = once(worker, "exit").catch(() => {});
    worker.on("error", (error) => assert.ok(ranOutOfMemory(error), String(error)));
    await Promise.race([setTimeout(below(random, KILL_EVERY_MS)), once(worker, "message").catch(() => {})]);
    await setTimeout(below(random, 30));
    await worker.terminate();
    await exit;
    counts["killed workers"] = (counts["killed workers"] ?? 0) + 1;
  }
}

/** Lets an allocation of any call fail now and then. */
async function failer(): Promise<void> {
  if (allocations === undefined) return;
  const { failAt, failedCount } = allocations;
  while (!isOver()) {
    await setTimeout(below(random, 2 * FAIL_EVERY_MS));
    failAt(1 + below(random, 60), 1024);
  }
  failAt(0, 0);
  counts["failed allocations"] = failedCount();
}

/**
 * The memory in use once every call has ended: what JavaScript and native code have not freed. The memory that a model
 * keeps for its next tensors is left out: it depends on the last calls, and has a limit.
 */
async function measure(): Promise<Memory> {
  const models = [model, narrow];
  const nativeBytes = () =>
    allocations === undefined
      ? 0
      : models.reduce((bytes, t5) => bytes - t5.stats().reusableBytes, allocations.liveBytes());
  const native = await settledBytes(nativeBytes, () => models.some((t5) => t5.stats().running > 0));
  return { native, javaScript: process.memoryUsage().heapUsed, resident: process.memoryUsage.rss() };
}

async function round(): Promise<void> {
  const roundMs = (SECONDS * 1000) / ROUNDS;
  roundEnd = performance.now() + roundMs;
  const lost = globalThis.setTimeout(() => {
    console.error("These calls are lost:", ...pending);
    process.exit(2);
  }, roundMs + LOST_MS);
  await Promise.all([...Array.from({ length: CALLERS }, caller), killer(), failer()]);
  clearTimeout(lost);
}

/** The memory in use without models. */
async function close(): Promise<Memory> {
  await Promise.all([model.dispose(), narrow.dispose()]);
  return measure();
}

/** What is made once, in a process or for a model, is made before memory is measured. */
async function warmUp(): Promise<void> {
  for (const [kind, run] of Object.entries(kinds)) await counted(kind, run);
}

await warmUp();
await round();
const before = await close();
({ model, narrow } = await open());
await warmUp();
const memory: Memory[] = [];
while (memory.length < ROUNDS) {
  await round();
  memory.push(await measure());
}
const after = await close();
assert.equal(pending.size, 0);
const { "killed workers": _, "failed allocations": __, ...outcomes } = counts;
const settled = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
console.log(JSON.stringify({ seed: SEED, started, settled, counts, memory, before, after }));
