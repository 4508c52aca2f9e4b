// The routes of text-embeddings-inference: `/embed`, `/rerank` and `/predict`.
import { Type } from "typebox";
import { classify } from "../../calls/classify.js";
import { embed } from "../../calls/embed.js";
import { rerank } from "../../calls/rerank.js";
import { expected } from "../../errors/server-error.js";
import type { Service } from "../../production/service.js";
import { huggingFaceError, huggingFaceStatus } from "../shared/hugging-face-error.js";
import { answerErrors, contextOf, type Http } from "../shared/plugin.js";
import { ModelName, Texts, textsOf } from "../shared/schemas.js";
import { truncationOf } from "./truncation.js";

const strict = { additionalProperties: false } as const;
const Truncate = Type.Optional(
  Type.Union([Type.Boolean(), Type.Null()], { description: "remove the end of texts that are too long" }),
);
const RightOnly = Type.Optional(Type.Enum(["Right", "right"]));

const EmbedBody = Type.Object(
  {
    inputs: Texts,
    model: ModelName,
    normalize: Type.Optional(Type.Boolean({ default: true })),
    truncate: Truncate,
    truncation_direction: RightOnly,
    prompt_name: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  strict,
);

const RerankBody = Type.Object(
  {
    query: Type.String(),
    texts: Type.Array(Type.String(), { minItems: 1 }),
    model: ModelName,
    raw_scores: Type.Optional(Type.Boolean({ description: "logarithms of the probabilities" })),
    return_text: Type.Optional(Type.Boolean()),
    truncate: Truncate,
    truncation_direction: RightOnly,
  },
  strict,
);

const PredictBody = Type.Object(
  {
    inputs: Type.Union([Type.String(), Type.Array(Type.Union([Type.String(), Type.Array(Type.String())]))]),
    model: ModelName,
    raw_scores: Type.Optional(Type.Boolean({ description: "logits" })),
    truncate: Type.Optional(Type.Literal(false)),
  },
  strict,
);

/** Adds the routes. */
export function embeddingsRoutes(http: Http, service: Service): void {
  const { models, config } = service;
  answerErrors(http, huggingFaceError, huggingFaceStatus);
  const schema = (summary: string, body: unknown) => ({ summary, tags: ["text-embeddings-inference"], body });

  http.post("/embed", { schema: schema("Embed texts", EmbedBody) }, async (request) => {
    const body = request.body as Type.Static<typeof EmbedBody>;
    const model = models.ofKind(["encoder", "generation"], body.model);
    const { vectors } = await embed(
      {
        model,
        texts: textsOf(body.inputs),
        options: {
          ...((body.normalize ?? true) ? { normalize: true } : { normalize: false }),
          ...(body.prompt_name != null && { promptName: body.prompt_name }),
        },
        truncate: truncationOf(model.t5, body.truncate, config.limits),
      },
      contextOf(request, service),
    );
    return vectors.map((vector) => Array.from(vector));
  });

  http.post("/rerank", { schema: schema("Rank texts by their relevance to a query", RerankBody) }, async (request) => {
    const body = request.body as Type.Static<typeof RerankBody>;
    const { t5, name } = models.ofKind(["generation"], body.model);
    const ranked = await rerank(
      {
        model: name,
        t5,
        query: body.query,
        documents: body.texts,
        options: {},
        truncate: truncationOf(t5, body.truncate, config.limits),
      },
      contextOf(request, service),
    );
    return ranked.map(({ index, probability, score, document }) => ({
      index,
      score: body.raw_scores === true ? score : probability,
      ...(body.return_text === true && { text: document }),
    }));
  });

  http.post("/predict", { schema: schema("Classify texts", PredictBody) }, async (request) => {
    const body = request.body as Type.Static<typeof PredictBody>;
    const { t5, name } = models.ofKind(["sequenceClassification"], body.model);
    const { texts, isBatch } = readInputs(body.inputs);
    const isRaw = body.raw_scores === true;
    const labels = await classify({ model: name, t5, texts, isRaw }, contextOf(request, service));
    const results = labels.map((row) => row.map(({ score, label }) => ({ score, label })));
    return isBatch ? results : results[0];
  });
}

/** One text, `[text]` for one, or `[[text], ...]` for a batch. Two texts in one array are a pair there. */
function readInputs(inputs: Type.Static<typeof PredictBody>["inputs"]): {
  readonly texts: readonly string[];
  readonly isBatch: boolean;
} {
  if (typeof inputs === "string") return { texts: [inputs], isBatch: false };
  if (inputs.every((input) => typeof input === "string"))
    return { texts: [onlyText(inputs, "inputs")], isBatch: false };
  const texts = inputs.map((input, index) => (typeof input === "string" ? input : onlyText(input, `inputs[${index}]`)));
  return { texts, isBatch: true };
}

function onlyText(texts: readonly string[], name: string): string {
  const [text] = texts;
  if (text !== undefined && texts.length === 1) return text;
  throw expected("one text, as T5 classifies no pairs of texts,", name, texts);
}
