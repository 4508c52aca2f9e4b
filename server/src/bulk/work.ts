// `torch-t5-server work`: answers the shards of the queue with the models of a configuration.
import { Worker } from "bullmq";
import { createHttp } from "../app/http.js";
import { type ConfigInput, checkConfig } from "../config/config.js";
import { ApiKeys } from "../production/api-keys.js";
import { Service } from "../production/service.js";
import { answerLine } from "./answer.js";
import { connect, type LineAnswer, QUEUE_NAME, queueOptions, type Shard } from "./queue.js";

export interface WorkOptions {
  readonly config: ConfigInput;
  readonly queue: string;
  /** Shards that are answered at the same time. */
  readonly concurrency: number;
  /** Seconds after which the shard of a worker that has vanished is done again. */
  readonly stalledSeconds: number;
}

/** A worker that takes shards. */
export interface RunningWorker {
  /** Takes no more shards, and waits for the running ones, for at most `drainSeconds` of the configuration. */
  close(): Promise<void>;
}

/** How many workers a shard may lose before it is given up, as it may be what ends them. */
const MAX_LOST_WORKERS = 5;

/** Loads the models, then takes shards. Rejects as `fromPretrained` does, and with ERR_QUEUE_UNAVAILABLE. */
export async function startWorker(options: WorkOptions): Promise<RunningWorker> {
  // A line in the log for each line of the input would be too much.
  const config = checkConfig({ logLevel: "warn", ...options.config, docs: false, inspect: false });
  const connection = await connect(options.queue);
  const service = await Service.create(config, new ApiKeys([]));
  const http = await createHttp(service);
  try {
    await http.ready();
    await service.load();
  } catch (error) {
    connection.disconnect();
    throw error;
  }
  const lockMs = options.stalledSeconds * 1000;
  const worker = new Worker<Shard, readonly LineAnswer[]>(
    QUEUE_NAME,
    async ({ data: { route, lines }, attemptsMade, opts: { attempts = 1 } }) => {
      const isLastTry = attemptsMade + 1 >= attempts;
      // All at once, because the library computes them in batches.
      return Promise.all(lines.map((line) => answerLine(http, route, line, isLastTry)));
    },
    {
      ...queueOptions(connection),
      concurrency: options.concurrency,
      lockDuration: lockMs,
      stalledInterval: lockMs,
      maxStalledCount: MAX_LOST_WORKERS,
    },
  );
  // Redis that is away for a while: BullMQ connects again. A shard that failed: BullMQ has its reason.
  worker.on("error", ({ message }) => http.log.warn({ reason: message }, "queue"));
  worker.on("failed", (job, { message }) => http.log.warn({ shard: job?.id, reason: message }, "shard failed"));
  return {
    async close() {
      const timer = new AbortController();
      const waited = new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, config.drainSeconds * 1000);
        timer.signal.addEventListener("abort", () => clearTimeout(timeout));
      });
      await Promise.race([worker.close(), waited]);
      timer.abort();
      connection.disconnect();
      await http.close();
      await service.dispose();
    },
  };
}
