// What the routes of every protocol share: the context of a call, and answers to errors.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, RawServerDefault } from "fastify";
import type { CallContext } from "../../calls/call.js";
import type { RunningCall } from "../../calls/running-calls.js";
import { type Failure, failureOf, isUnforeseen } from "../../errors/failure.js";
import type { Service } from "../../production/service.js";

declare module "fastify" {
  interface FastifyRequest {
    /** The request as one of those that run. */
    call: RunningCall | null;
  }
}

/** The HTTP server, or the part of it that a plugin adds routes to. */
export type Http = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Adds the routes of a protocol. */
export type Routes = (http: Http, service: Service) => void;

/** What a call of this request gets. */
export function contextOf(request: Pick<FastifyRequest, "call">, service: Service): CallContext {
  return service.contextOf(request.call?.signal ?? new AbortController().signal);
}

/** The body of an error in a protocol. */
export type ErrorBody = (failure: Failure) => unknown;

/** Makes a plugin's routes answer errors, and the unknown paths below them, in the shape of their protocol. */
export function answerErrors(http: Http, body: ErrorBody, statusOf = (failure: Failure) => failure.status): void {
  http.setErrorHandler((thrown, request, reply) => {
    const failure = failureOf(thrown);
    if (isUnforeseen(failure)) request.log.error({ err: thrown }, "unforeseen error");
    return sendFailure(reply, failure, statusOf(failure), body);
  });
}

export function sendFailure(reply: FastifyReply, failure: Failure, status: number, body: ErrorBody): FastifyReply {
  const { retryAfter, code } = failure;
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  if (code === "ERR_UNAUTHORIZED") reply.header("www-authenticate", "Bearer");
  return reply
    .code(status)
    .type("application/json; charset=utf-8")
    .send(JSON.stringify(body(failure)));
}
