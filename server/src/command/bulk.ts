// Runs `torch-t5-server enqueue` and `torch-t5-server work` to their ends.
import process, { stderr, stdout } from "node:process";
import { enqueue } from "../bulk/enqueue.js";
import { startWorker } from "../bulk/work.js";
import { ServerError } from "../errors/server-error.js";
import { ENQUEUE_USAGE, readEnqueue, readWork, WORK_USAGE } from "./bulk-arguments.js";

/** Resolves at the end of the input. Rejects as `enqueue` does, and with ERR_SHUTTING_DOWN after SIGTERM or SIGINT. */
export async function runEnqueue(args: readonly string[]): Promise<void> {
  const options = readEnqueue(args);
  if (options === undefined) {
    stdout.write(`${ENQUEUE_USAGE}\n`);
    return;
  }
  // A run can end at any point, also while it waits for Redis.
  const interrupted = new Promise<never>((_, reject) => {
    onSignal(() => reject(new ServerError("ERR_SHUTTING_DOWN", "Interrupted; the same command continues")));
  });
  const { lines, failed } = await Promise.race([enqueue(options), interrupted]);
  const errors = failed > 0 ? `, ${failed} errors in ${options.errors}` : "";
  stderr.write(`torch-t5-server: ${lines} lines${errors}\n`);
}

/** Resolves after SIGTERM or SIGINT, when the worker has ended its shards. Rejects as `startWorker` does. */
export async function runWork(args: readonly string[]): Promise<void> {
  const options = await readWork(args);
  if (options === undefined) {
    stdout.write(`${WORK_USAGE}\n`);
    return;
  }
  const stopped = new Promise<void>((resolve) => onSignal(resolve));
  const worker = await startWorker(options);
  stderr.write("torch-t5-server works\n");
  await stopped;
  await worker.close();
}

function onSignal(handle: () => void): void {
  process.on("SIGTERM", handle);
  process.on("SIGINT", handle);
}
