// OpenAI's API: `/v1/completions`, `/v1/embeddings` and `/v1/models`.
import { Type } from "typebox";
import { embed } from "../../calls/embed.js";
import { expected } from "../../errors/server-error.js";
import type { ServedModel } from "../../models/served-model.js";
import type { Service } from "../../production/service.js";
import { answerErrors, contextOf, type Http } from "../shared/plugin.js";
import { Texts, textsOf } from "../shared/schemas.js";
import { completionsRoute } from "./completions.js";
import { openAiError } from "./error-body.js";

const EmbeddingsBody = Type.Object({
  model: Type.String(),
  input: Texts,
  encoding_format: Type.Optional(Type.Enum(["float", "base64"])),
  dimensions: Type.Optional(Type.Integer({ minimum: 1 })),
  user: Type.Optional(Type.String()),
});

const started = Math.floor(Date.now() / 1000);

/** Adds the routes. */
export function openAiRoutes(http: Http, service: Service): void {
  const { models } = service;
  answerErrors(http, openAiError);
  completionsRoute(http, service);

  const schema = (summary: string, more = {}) => ({ summary, tags: ["OpenAI"], ...more });
  http.post("/v1/embeddings", { schema: schema("Embeddings", { body: EmbeddingsBody }) }, async (request) => {
    const body = request.body as Type.Static<typeof EmbeddingsBody>;
    const model = models.ofKind(["encoder", "generation"], body.model);
    if (body.dimensions !== undefined) {
      throw expected("no other dimensions than the model's", "dimensions", body.dimensions);
    }
    const { vectors, tokens } = await embed(
      { model, texts: textsOf(body.input), options: {} },
      contextOf(request, service),
    );
    const isBase64 = body.encoding_format === "base64";
    return {
      object: "list",
      model: model.name,
      data: vectors.map((vector, index) => ({
        object: "embedding",
        index,
        embedding: isBase64 ? Buffer.from(vector.buffer).toString("base64") : Array.from(vector),
      })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  });

  http.get("/v1/models", { schema: schema("All models") }, () => ({ object: "list", data: models.all.map(describe) }));
  const params = Type.Object({ model: Type.String() });
  http.get("/v1/models/:model", { schema: schema("One model", { params }) }, (request) =>
    describe(models.find((request.params as Type.Static<typeof params>).model)),
  );
}

const describe = ({ name }: ServedModel) => ({ id: name, object: "model", created: started, owned_by: "torch-t5" });
