// `/score`: log-probabilities of given answers, with the names of torch-t5.
import { Type } from "typebox";
import { score } from "../../calls/score.js";
import type { Service } from "../../production/service.js";
import { plainError } from "../shared/plain-error.js";
import { answerErrors, contextOf, type Http } from "../shared/plugin.js";
import { ModelName } from "../shared/schemas.js";

const Body = Type.Object(
  {
    model: ModelName,
    source: Type.String(),
    targets: Type.Union([Type.Array(Type.String()), Type.Array(Type.Array(Type.Integer()))], {
      description: "texts, or rows of ids",
    }),
    reduction: Type.Optional(Type.Enum(["sum", "mean", "none"])),
    addSpecialTokens: Type.Optional(Type.Boolean()),
    maxLength: Type.Optional(Type.Integer({ minimum: 1, description: "truncates the source" })),
  },
  { additionalProperties: false },
);

/** Adds the route. */
export function scoreRoutes(http: Http, service: Service): void {
  answerErrors(http, plainError);
  const schema = { summary: "Log-probabilities of given answers", tags: ["torch-t5"], body: Body };
  http.post("/score", { schema }, async (request) => {
    const body = request.body as Type.Static<typeof Body>;
    const { t5, name } = service.models.ofKind(["generation"], body.model);
    const { source, targets, reduction, addSpecialTokens, maxLength } = body;
    const options = {
      ...(reduction !== undefined && { reduction }),
      ...(addSpecialTokens !== undefined && { addSpecialTokens }),
    };
    const scores = await score(
      { model: name, t5, source, targets, options, truncate: maxLength },
      contextOf(request, service),
    );
    return {
      model: name,
      scores: scores.map(({ score, logProbs, ids, truncated }) => ({
        ...(score !== undefined && { score }),
        logProbs: Array.from(logProbs),
        ids: Array.from(ids),
        ...(truncated !== undefined && { truncated }),
      })),
    };
  });
}
