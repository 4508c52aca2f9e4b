// Server-sent events: a stream of JSON objects, whose first one decides whether the answer is an error.
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import { failureOf } from "../../errors/failure.js";
import type { ErrorBody } from "./plugin.js";

/** How a protocol writes its events. */
export interface EventFormat {
  readonly error: ErrorBody;
  /** What follows "data:": most protocols write a space. */
  readonly separator?: "" | " ";
  /** The data of a last event that is no JSON, such as "[DONE]". */
  readonly end?: string;
}

/**
 * Answers with the events. Rejects with the error that comes before the first event, so that it has a status; a later one
 * becomes the last event. A connection that closes ends the iterator.
 */
export async function sendEvents(
  reply: FastifyReply,
  events: AsyncGenerator<unknown, void>,
  { error, separator = " ", end }: EventFormat,
): Promise<FastifyReply> {
  const first = await events.next();
  const line = (text: string) => `data:${separator}${text}\n\n`;

  async function* lines(): AsyncGenerator<string, void> {
    try {
      if (!first.done) yield line(JSON.stringify(first.value));
      for await (const event of events) yield line(JSON.stringify(event));
      if (end !== undefined) yield line(end);
    } catch (thrown) {
      yield line(JSON.stringify(error(failureOf(thrown))));
    } finally {
      await events.return();
    }
  }

  return reply
    .header("cache-control", "no-cache")
    .header("x-accel-buffering", "no") // nginx passes events on as they come
    .type("text/event-stream")
    .send(Readable.from(lines()));
}
