// The HTTP server: limits of connections and bodies, the OpenAPI document, and the routes of all protocols.
import { randomUUID } from "node:crypto";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import Fastify, { type FastifyReply, type FastifyRequest, type FastifyServerOptions } from "fastify";
import { failureOf } from "../errors/failure.js";
import { type SchemaError, schemaError } from "../errors/schema-error.js";
import { expected } from "../errors/server-error.js";
import { inspectorRoutes } from "../inspector/routes.js";
import type { Service } from "../production/service.js";
import { embeddingsRoutes } from "../protocols/embeddings/routes.js";
import { generationRoutes } from "../protocols/generation/routes.js";
import { generateRoutes } from "../protocols/inference/generate.js";
import { serverMetadata } from "../protocols/inference/metadata.js";
import { inferenceRoutes } from "../protocols/inference/rest.js";
import { openAiError } from "../protocols/openai/error-body.js";
import { openAiRoutes } from "../protocols/openai/routes.js";
import { scoreRoutes } from "../protocols/score/routes.js";
import { plainError } from "../protocols/shared/plain-error.js";
import { type Http, type Routes, sendFailure } from "../protocols/shared/plugin.js";
import { healthRoutes } from "./health.js";
import { logOptions } from "./log.js";
import { observeRequests } from "./requests.js";
import { readTls } from "./tls.js";

/** A request id that a client may choose. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;
/** How often Node.js looks for connections whose request takes too long, in ms. */
const CONNECTION_CHECK_MS = 1000;
/** Time for the headers of a request, in ms. */
const HEADERS_MS = 15_000;

const ROUTES: readonly Routes[] = [
  healthRoutes,
  inferenceRoutes,
  generateRoutes,
  embeddingsRoutes,
  generationRoutes,
  openAiRoutes,
  scoreRoutes,
];

/** A server that does not listen yet. */
export async function createHttp(service: Service): Promise<Http> {
  const { config } = service;
  const requestMs = config.limits.seconds * 1000;
  const tls = config.tls === undefined ? undefined : await readTls(config.tls);
  const connections = {
    headersTimeout: Math.min(HEADERS_MS, requestMs),
    connectionsCheckingInterval: CONNECTION_CHECK_MS,
  };
  const options: FastifyServerOptions = {
    ...logOptions(config.logLevel),
    bodyLimit: config.limits.bodyBytes,
    requestTimeout: requestMs,
    forceCloseConnections: true,
    return503OnClosing: false,
    requestIdHeader: false,
    genReqId: ({ headers: { "x-request-id": id } }) =>
      typeof id === "string" && REQUEST_ID.test(id) ? id : randomUUID(),
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, verbose: true } },
    schemaErrorFormatter: (errors, scope) => schemaError(errors as unknown as readonly SchemaError[], scope),
  };
  // Fastify's types have one class of server for HTTP and another one for HTTPS; the routes are the same.
  const http = (tls === undefined
    ? Fastify({ ...options, http: connections })
    : Fastify({ ...options, https: { ...connections, ...tls } } as FastifyServerOptions)) as unknown as Http;

  observeRequests(http, service);
  answerUnknownRoutes(http);
  if (config.docs) {
    const { name: title, version } = serverMetadata;
    await http.register(swagger, { openapi: { openapi: "3.1.0", info: { title, version } } });
    await http.register(swaggerUi, { routePrefix: "/docs" });
  }
  const all = config.inspect ? [...ROUTES, inspectorRoutes] : ROUTES;
  for (const routes of all) await http.register(async (scope) => routes(scope as unknown as Http, service));
  return http;
}

/** Answers what no protocol's routes answer: below /v1 in OpenAI's shape. */
function answerUnknownRoutes(http: Http): void {
  const answer = (request: FastifyRequest, reply: FastifyReply, thrown: unknown) => {
    const failure = failureOf(thrown);
    return sendFailure(reply, failure, failure.status, request.url.startsWith("/v1/") ? openAiError : plainError);
  };
  http.setErrorHandler((thrown, request, reply) => answer(request, reply, thrown));
  http.setNotFoundHandler((request, reply) => {
    const route = `${request.method} ${request.url.split("?", 1)[0]}`;
    return answer(request, reply, expected("a route of this server", "the request", route, "ERR_NOT_FOUND"));
  });
}
