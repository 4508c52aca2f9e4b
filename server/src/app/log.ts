// The log: JSON lines on standard output, one for each request.
import { type FastifyReply, type FastifyRequest, type FastifyServerOptions, LogController } from "fastify";
import { destination } from "pino";
import type { ServerConfig } from "../config/schema.js";

const STDOUT = 1;
/** Bytes of lines that wait for a reader that is too slow. Further lines are dropped. */
const MAX_BUFFERED = 16 * 2 ** 20;
/** Lines are written once there are this many bytes, or after this time: a write each takes a tenth of the thread. */
const MIN_WRITE = 4096;
const MAX_WAIT_MS = 100;

/** Writes a request and its answer as one line, when the answer ends. */
class OneLine extends LogController {
  override incomingRequest(): void {}

  override requestCompleted(error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    const line = { req: request, res: reply, responseTime: reply.elapsedTime };
    if (error) reply.log.error({ ...line, err: error }, "request errored");
    else reply.log.info(line, "request completed");
  }
}

/** Fastify's options. Lines are written off the event loop, and the end of the process writes the rest. */
export function logOptions(level: ServerConfig["logLevel"]): Pick<FastifyServerOptions, "logger" | "logController"> {
  if (level === "silent") return { logger: false };
  const lines = {
    ...{ dest: STDOUT, sync: false, maxLength: MAX_BUFFERED },
    ...{ minLength: MIN_WRITE, periodicFlush: MAX_WAIT_MS },
  };
  return {
    logger: { level, stream: destination(lines) },
    logController: new OneLine(),
  };
}
