import assert from "node:assert/strict";
import Fastify from "fastify";
import { answerLine, RetryableError } from "../../src/bulk/answer.js";
import type { Http } from "../../src/protocols/shared/plugin.js";

/** A server that answers with these statuses in turn. */
function serverOf(...statuses: readonly number[]): Http {
  const http = Fastify();
  const left = [...statuses];
  http.post("/", async (_, reply) => {
    reply.code(left.shift() ?? 500);
    return { error: { message: "reason", code: "ERR_REASON" } };
  });
  return http as unknown as Http;
}

const LINE = { number: 3, text: "{}" };
const FAILED = { number: 3, code: "ERR_REASON", message: "reason" };

describe("answerLine", () => {
  it("throws for an error of the server, so that the shard is tried again, but not at the last try", async () => {
    await assert.rejects(answerLine(serverOf(503), "/", LINE, false), RetryableError);
    assert.deepEqual(await answerLine(serverOf(503), "/", LINE, true), FAILED);
  });

  it("does not try an error of the line again", async () => {
    assert.deepEqual(await answerLine(serverOf(400), "/", LINE, false), FAILED);
  });

  it("waits while the queue of the model is full", async () => {
    const answer = await answerLine(serverOf(429, 429, 200), "/", LINE, false);
    assert.deepEqual(answer, { number: 3, json: '{"error":{"message":"reason","code":"ERR_REASON"}}' });
  });
});
