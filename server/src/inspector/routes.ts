// The inspector: a page at /inspect/, and what it asks for.
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import { Type } from "typebox";
import type { Service } from "../production/service.js";
import { plainError } from "../protocols/shared/plain-error.js";
import { answerErrors, contextOf, type Http } from "../protocols/shared/plugin.js";
import { ModelName } from "../protocols/shared/schemas.js";
import { alternatives, analyze } from "./analysis.js";
import { crossAttention } from "./attention.js";

const FILES = fileURLToPath(new URL("../../inspect", import.meta.url));
const MAX_TOP = 100;
const MAX_BEAMS = 16;

/** The page's routes, which need no key: what they ask for does. */
export const PAGE_ROUTES = ["/inspect", "/inspect/*"] as const;

/** Nothing is loaded from elsewhere, and nobody can put the page into a frame. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const AnalysisBody = Type.Object(
  {
    model: ModelName,
    text: Type.String(),
    target: Type.Optional(Type.String({ description: "without it, the best answer is generated" })),
    topK: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_TOP })),
  },
  { additionalProperties: false },
);

const AlternativesBody = Type.Object(
  {
    model: ModelName,
    text: Type.String(),
    beams: Type.Optional(Type.Integer({ minimum: 2, maximum: MAX_BEAMS })),
  },
  { additionalProperties: false },
);

const AttentionBody = Type.Object(
  {
    model: ModelName,
    text: Type.String(),
    target: Type.String(),
    layer: Type.Optional(Type.Integer({ minimum: 0, description: "from 0; without it, the mean of all layers" })),
    head: Type.Optional(Type.Integer({ minimum: 0, description: "from 0; without it, the mean of all heads" })),
  },
  { additionalProperties: false },
);

const DEFAULT_TOP = 5;
const DEFAULT_BEAMS = 4;

/** Adds the routes. */
export function inspectorRoutes(http: Http, service: Service): void {
  answerErrors(http, plainError);
  http.register(fastifyStatic, {
    root: FILES,
    prefix: "/inspect/",
    setHeaders: (response) => {
      response.setHeader("content-security-policy", POLICY);
      response.setHeader("x-content-type-options", "nosniff");
    },
  });
  http.get("/inspect", { schema: { summary: "The inspector", tags: ["inspector"] } }, (_, reply) =>
    reply.redirect("/inspect/"),
  );
  const schema = (summary: string, body: unknown) => ({ summary, tags: ["inspector"], body });
  http.post(
    "/inspect/analysis",
    { schema: schema("Tokens of an answer, and the best ones", AnalysisBody) },
    (request) => {
      const { model, text, target, topK = DEFAULT_TOP } = request.body as Type.Static<typeof AnalysisBody>;
      const found = service.models.ofKind(["generation"], model);
      return analyze(found, { text, target, topK }, contextOf(request, service));
    },
  );
  http.post("/inspect/alternatives", { schema: schema("Answers of beam search", AlternativesBody) }, (request) => {
    const { model, text, beams = DEFAULT_BEAMS } = request.body as Type.Static<typeof AlternativesBody>;
    const found = service.models.ofKind(["generation"], model);
    return alternatives(found, { text, beams }, contextOf(request, service));
  });
  const summary = "Cross-attention of an answer (models in exact)";
  http.post("/inspect/attention", { schema: schema(summary, AttentionBody) }, (request) => {
    const { model, ...asked } = request.body as Type.Static<typeof AttentionBody>;
    const found = service.models.ofKind(["generation"], model);
    return crossAttention(found, asked, contextOf(request, service));
  });
}
