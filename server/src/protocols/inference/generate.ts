// The generate extension of the Open Inference Protocol: text in, text out, as a whole or as server-sent events.
import { Type } from "typebox";
import { prepareGeneration } from "../../calls/generate.js";
import { generationOptions } from "../../calls/generation-options.js";
import { expected } from "../../errors/server-error.js";
import { MODEL_VERSION } from "../../models/served-model.js";
import type { Service } from "../../production/service.js";
import { sendEvents } from "../shared/events.js";
import { plainError } from "../shared/plain-error.js";
import { answerErrors, contextOf, type Http } from "../shared/plugin.js";

const Params = Type.Object({ model: Type.String(), version: Type.Optional(Type.String()) });

const Body = Type.Object(
  {
    id: Type.Optional(Type.String()),
    text_input: Type.String(),
    parameters: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: "options of generate in snake_case; max_tokens, stop",
      }),
    ),
  },
  { additionalProperties: false },
);

type GenerateBody = Type.Static<typeof Body>;

/** Names of the extension that are not those of Hugging Face. `stream` is stated by the route. */
const ALIASES = { max_tokens: "maxNewTokens", stop: "stopStrings", stream: undefined };

/** Adds `generate` and `generate_stream` of models. */
export function generateRoutes(http: Http, service: Service): void {
  answerErrors(http, plainError);

  const prepare = async (request: Parameters<typeof contextOf>[0] & { params: unknown; body: unknown }) => {
    const { model, version } = request.params as Type.Static<typeof Params>;
    service.models.find(model, version);
    const { t5 } = service.models.ofKind(["generation"], model);
    const { id, text_input, parameters = {} } = request.body as GenerateBody;
    const options = generationOptions(parameters, ALIASES);
    if ((options.numReturnSequences ?? 1) !== 1) {
      throw expected("1", "num_return_sequences of generate", options.numReturnSequences);
    }
    const prepared = await prepareGeneration(
      { model, t5, prompts: { texts: [text_input] }, options },
      contextOf(request, service),
    );
    const head = { ...(id !== undefined && { id }), model_name: model, model_version: MODEL_VERSION };
    return { prepared, head };
  };

  const schema = (summary: string) => ({ summary, tags: ["Open Inference Protocol"], params: Params, body: Body });
  for (const path of ["/v2/models/:model", "/v2/models/:model/versions/:version"]) {
    http.post(`${path}/generate`, { schema: schema("Generate") }, async (request) => {
      const { prepared, head } = await prepare(request);
      const [sequence] = await prepared.sequences();
      return { ...head, text_output: sequence?.text, finish_reason: sequence?.finishReason };
    });

    http.post(`${path}/generate_stream`, { schema: schema("Generate, token by token") }, async (request, reply) => {
      const { prepared, head } = await prepare(request);
      async function* events() {
        for await (const { text, finishReason } of prepared.tokens()) {
          yield { ...head, text_output: text, ...(finishReason !== undefined && { finish_reason: finishReason }) };
        }
      }
      return sendEvents(reply, events(), { error: plainError });
    });
  }
}
