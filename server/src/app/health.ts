// Routes for those who run the server: `/health`, `/metrics` and `/info`.
import type { Service } from "../production/service.js";
import { serverMetadata } from "../protocols/inference/metadata.js";
import { plainError } from "../protocols/shared/plain-error.js";
import { answerErrors, type Http } from "../protocols/shared/plugin.js";

/** Adds the routes. */
export function healthRoutes(http: Http, service: Service): void {
  const { models, metrics, config } = service;
  answerErrors(http, plainError);
  const schema = (summary: string) => ({ summary, tags: ["torch-t5"] });
  http.get("/health", { schema: schema("Whether requests are answered") }, (_, reply) =>
    reply.code(service.isReady ? 200 : 503).send({ ready: service.isReady }),
  );
  http.get("/metrics", { schema: schema("Prometheus metrics") }, async (_, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  );
  http.get("/info", { schema: schema("The models and the limits") }, () => ({
    ...serverMetadata,
    models: models.all.map(({ name, isReady, settings }) => ({
      name,
      ready: isReady,
      precision: settings.precision ?? "float32",
      ...(isReady && { kind: models.find(name).loaded.kind, device: models.find(name).loaded.t5.device }),
    })),
    limits: config.limits,
  }));
}
