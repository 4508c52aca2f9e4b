// What happens to every request, whatever its route: it gets a signal, its key is checked, and it is counted.
import { PAGE_ROUTES } from "../inspector/routes.js";
import type { Service } from "../production/service.js";
import type { Http } from "../protocols/shared/plugin.js";

/** What probes ask. */
const PROBES = ["/health", "/v2/health/live", "/v2/health/ready"] as const;
/** Routes that need no key. */
const OPEN: ReadonlySet<string> = new Set([...PROBES, ...PAGE_ROUTES]);
/** Routes that are answered while the server shuts down. */
const OBSERVED: ReadonlySet<string> = new Set([...PROBES, "/metrics"]);

/** Adds the hooks. */
export function observeRequests(http: Http, service: Service): void {
  http.decorateRequest("call", null);
  http.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    const call = service.calls.begin();
    request.call = call;
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished) call.abandon();
      call.end();
    });
    const route = request.routeOptions.url ?? "";
    if (!OPEN.has(route)) service.keys.check(request.headers.authorization);
    if (!OBSERVED.has(route)) service.checkAccepts();
  });
  http.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    service.metrics.countRequest("http", route, request.method, reply.statusCode, reply.elapsedTime / 1000);
  });
  if (service.config.logTexts) {
    http.addHook("preHandler", async (request) => {
      if (request.body !== undefined) request.log.info({ body: request.body }, "request body");
    });
  }
}
