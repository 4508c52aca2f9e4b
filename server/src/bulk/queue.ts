// The queue that `enqueue` and `work` share: one of BullMQ, in Redis.
import { type JobsOptions, Queue } from "bullmq";
import { Redis } from "ioredis";
import { expected, ServerError } from "../errors/server-error.js";

/** One line of the input. */
export interface BulkLine {
  /** From 1. */
  readonly number: number;
  /** The body of a request; null where the line isn't UTF-8. */
  readonly text: string | null;
}

/** What a job is told: some lines, each the body of a request to a route. */
export interface Shard {
  readonly route: string;
  readonly lines: readonly BulkLine[];
}

/** The answer to a line: the JSON of a result, or an error. */
export type LineAnswer =
  | { readonly number: number; readonly json: string }
  | { readonly number: number; readonly code: string; readonly message: string };

export const QUEUE_NAME = "bulk";
const PREFIX = "torch-t5";
/** How often a shard is tried that fails with an error of the server. */
const ATTEMPTS = 3;
const BACKOFF_MS = 1000;
/** Results that nobody fetches are deleted after a week. */
const KEPT_SECONDS = 7 * 24 * 3600;

export const SHARD_OPTIONS: JobsOptions = {
  attempts: ATTEMPTS,
  backoff: { type: "exponential", delay: BACKOFF_MS },
  removeOnComplete: { age: KEPT_SECONDS },
  removeOnFail: { age: KEPT_SECONDS },
};

/** A connection that works. Rejects with ERR_INVALID_ARGUMENT for what is no URL, and ERR_INTERNAL without a server. */
export async function connect(url: string): Promise<Redis> {
  const address = parse(url);
  // BullMQ needs calls without a limit of retries, so that they outlive a restart of Redis.
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: retryDelay });
  let isConnected = false;
  let reason = "";
  redis.on("error", (error: Error) => {
    reason = error.message;
  });
  function retryDelay(times: number): number | null {
    return isConnected ? Math.min(times * 100, 2000) : null;
  }
  try {
    await redis.connect();
    await redis.ping();
  } catch (cause) {
    redis.disconnect();
    const text = reason === "" ? (cause as Error).message : reason;
    throw new ServerError("ERR_QUEUE_UNAVAILABLE", `Expected a Redis server at ${address} but received: ${text}`, {
      cause,
    });
  }
  isConnected = true;
  return redis;
}

/** The address of a URL, without its password. */
function parse(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !["redis:", "rediss:"].includes(parsed.protocol)) {
    throw expected("a URL such as redis://127.0.0.1:6379", "--queue", parsed === undefined ? url : parsed.protocol);
  }
  return parsed.host;
}

/** The queue over a connection. */
export function openQueue(connection: Redis): Queue<Shard, readonly LineAnswer[]> {
  const queue = new Queue<Shard, readonly LineAnswer[]>(QUEUE_NAME, { connection, prefix: PREFIX });
  queue.on("error", () => {}); // the connection tries again
  return queue;
}

export const queueOptions = (connection: Redis) => ({ connection, prefix: PREFIX });
