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
  let next: Promise<IteratorResult<unknown, void>> | undefined = Promise.resolve(first);

  // Not Readable.from over a further generator: each token would wait for the promises of both.
  const stream = new Readable({
    objectMode: true, // strings as they are
    async read() {
      try {
        const { done, value } = await (next ?? events.next());
        next = undefined;
        if (this.destroyed) return;
        if (!done) {
          this.push(line(JSON.stringify(value)));
          return;
        }
        if (end !== undefined) this.push(line(end));
      } catch (thrown) {
        if (this.destroyed) return;
        this.push(line(JSON.stringify(error(failureOf(thrown)))));
      }
      this.push(null);
    },
    destroy(destroyed, callback) {
      // A generator that waits for an event ends when the request's signal has aborted.
      events.return().then(
        () => callback(destroyed),
        () => callback(destroyed),
      );
    },
  });

  return reply
    .header("cache-control", "no-cache")
    .header("x-accel-buffering", "no") // nginx passes events on as they come
    .type("text/event-stream")
    .send(stream);
}
