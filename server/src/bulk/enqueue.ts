// `torch-t5-server enqueue`: puts the shards of a file into the queue, and writes what the workers answer.

import { setTimeout as sleep } from "node:timers/promises";
import type { Queue } from "bullmq";
import { type FileLock, lockFiles } from "./lock.js";
import { ProgressLine } from "./progress.js";
import { connect, type LineAnswer, openQueue, SHARD_OPTIONS, type Shard } from "./queue.js";
import { Results, type RunFiles, type RunSettings } from "./results.js";
import { type InputShard, readShards } from "./shards.js";

export interface EnqueueOptions extends RunFiles, RunSettings {
  readonly queue: string;
  /** Shards that are in the queue or answered at once, which bounds the memory of this process and of Redis. */
  readonly window: number;
  readonly overwrites: boolean;
}

/** What became of the lines. */
export interface EnqueueSummary {
  readonly lines: number;
  readonly failed: number;
}

const POLL_MS = 50;

/**
 * Runs to the end of the input. A run whose process ended early, at any point, continues when it is started again.
 * Rejects with ERR_INVALID_ARGUMENT, also where another process writes the files, and with ERR_QUEUE_UNAVAILABLE.
 */
export async function enqueue(options: EnqueueOptions): Promise<EnqueueSummary> {
  const lock = await lockFiles([options.output, options.errors]);
  try {
    return await enqueueLocked(options, lock);
  } finally {
    await lock.release();
  }
}

async function enqueueLocked(options: EnqueueOptions, lock: FileLock): Promise<EnqueueSummary> {
  const redis = await connect(options.queue);
  const queue = openQueue(redis);
  try {
    const { route, shardLines } = options;
    const results = await Results.open(options, { route, shardLines }, options.overwrites);
    let isComplete = false;
    try {
      const summary = await runShards(options, queue, results, lock);
      isComplete = true;
      return summary;
    } finally {
      await results.close(isComplete);
    }
  } finally {
    await queue.close();
    redis.disconnect();
  }
}

async function runShards(
  { input, route, shardLines, window }: EnqueueOptions,
  queue: Queue<Shard, readonly LineAnswer[]>,
  results: Results,
  lock: FileLock,
): Promise<EnqueueSummary> {
  const line = new ProgressLine();
  const started = performance.now();
  const { end: initialBytes } = results.position;
  let lines = 0;
  const draw = () =>
    line.draw(() => ({
      ...{ lines, bytes: results.position.end, initialBytes, totalBytes: results.inputBytes, failed: results.failed },
      seconds: (performance.now() - started) / 1000,
    }));
  const idOf = ({ index }: InputShard) => `${results.run}-${index}`;
  // Adding a shard that the queue has already does nothing.
  const add = (shard: InputShard) =>
    queue.add("shard", { route, lines: shard.lines }, { ...SHARD_OPTIONS, jobId: idOf(shard) });

  const waiting: InputShard[] = [];
  const finishFirst = async () => {
    const shard = waiting.shift();
    if (shard === undefined) return;
    const answers = await answersOf(queue, idOf(shard), shard, () => add(shard), draw);
    await lock.check();
    await results.write(shard, answers);
    await queue.remove(idOf(shard));
    lines += shard.lines.length;
    draw();
  };
  try {
    for await (const shard of readShards(input, shardLines, results.position)) {
      await add(shard);
      waiting.push(shard);
      if (waiting.length >= window) await finishFirst();
    }
    while (waiting.length > 0) await finishFirst();
    return { lines, failed: results.failed };
  } finally {
    line.clear();
  }
}

/** Waits for the answers of a shard. One that Redis has lost is added again. */
async function answersOf(
  queue: Queue<Shard, readonly LineAnswer[]>,
  id: string,
  { lines }: InputShard,
  addAgain: () => Promise<unknown>,
  draw: () => void,
): Promise<readonly LineAnswer[]> {
  for (;;) {
    const job = await queue.getJob(id);
    if (job === undefined) await addAgain();
    else if (await job.isCompleted()) {
      // The state may be newer than what was read of the job before it.
      const { returnvalue } = (await queue.getJob(id)) ?? {};
      if (Array.isArray(returnvalue)) return returnvalue;
    } else if (await job.isFailed()) {
      const { failedReason: message = "" } = (await queue.getJob(id)) ?? {};
      return lines.map(({ number }) => ({ number, code: "ERR_SHARD_FAILED", message }));
    }
    draw();
    await sleep(POLL_MS);
  }
}
