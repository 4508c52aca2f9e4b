// The routes of text-generation-inference: `/generate`, `/generate_stream`, and `/` for both.
import type { FastifyReply, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { type Generation, prepareGeneration } from "../../calls/generate.js";
import { expected } from "../../errors/server-error.js";
import type { ModelOf } from "../../models/registry.js";
import type { Service } from "../../production/service.js";
import { sendEvents } from "../shared/events.js";
import { huggingFaceError, huggingFaceStatus } from "../shared/hugging-face-error.js";
import { answerErrors, contextOf, type Http } from "../shared/plugin.js";
import { ModelName } from "../shared/schemas.js";
import { detailsOf, reasonOf, tokenOf, topTokensOf } from "./details.js";
import { optionsOf, ParametersSchema, type TgiParameters } from "./parameters.js";

const Body = Type.Object(
  {
    inputs: Type.String({ minLength: 1 }),
    model: ModelName,
    parameters: Type.Optional(Type.Union([ParametersSchema, Type.Null()])),
    stream: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);

/** A request of which one text is generated. */
interface Prepared {
  readonly model: ModelOf<"generation">;
  readonly generation: Generation;
  readonly parameters: TgiParameters;
  readonly topTokens: number;
  readonly seed: number | null;
}

/** Adds the routes. */
export function generationRoutes(http: Http, service: Service): void {
  answerErrors(http, huggingFaceError, huggingFaceStatus);
  const schema = (summary: string) => ({ summary, tags: ["text-generation-inference"], body: Body });

  http.post("/generate", { schema: schema("Generate") }, async (request) => {
    const body = bodyOf(request);
    if (body.stream === true) throw expected("false, as /generate_stream streams,", "stream", true);
    return generate(request, service);
  });
  http.post("/generate_stream", { schema: schema("Generate, token by token") }, (request, reply) =>
    stream(request, reply, service),
  );
  http.post("/", { schema: schema("Generate, token by token if `stream` is true") }, async (request, reply) => {
    const body = bodyOf(request);
    if (body.stream === true) return stream(request, reply, service);
    return [await generate(request, service)];
  });
}

const bodyOf = ({ body }: FastifyRequest) => body as Type.Static<typeof Body>;

async function prepare(request: FastifyRequest, service: Service): Promise<Prepared> {
  const body = bodyOf(request);
  const parameters = (body.parameters ?? {}) as TgiParameters;
  const model = service.models.ofKind(["generation"], body.model);
  const options = optionsOf(parameters);
  if ((options.numReturnSequences ?? 1) !== 1) {
    throw expected("1", "num_return_sequences", options.numReturnSequences);
  }
  const topTokens = Number(parameters.top_n_tokens ?? 0);
  const generation = await prepareGeneration(
    {
      model: model.name,
      t5: model.t5,
      prompts: { texts: [body.inputs] },
      options,
      truncate: typeof parameters.truncate === "number" ? parameters.truncate : undefined,
      topTokens: parameters.details === true || topTokens > 0 ? topTokens : undefined,
    },
    contextOf(request, service),
  );
  return { model, generation, parameters, topTokens, seed: typeof options.seed === "number" ? options.seed : null };
}

async function generate(request: FastifyRequest, service: Service) {
  const { details: asked, top_n_tokens } = bodyOf(request).parameters ?? {};
  const hasDetails = asked === true;
  if (typeof top_n_tokens === "number" && !hasDetails) throw expected("details with top_n_tokens", "details", asked);
  const { model, generation, parameters, topTokens, seed } = await prepare(request, service);
  const [sequence] = await generation.sequences();
  if (sequence === undefined) throw expected("a sequence", "the answer", undefined, "ERR_INTERNAL");
  const hasPrefill = parameters.decoder_input_details === true;
  const details = hasDetails && detailsOf(model.t5, sequence, { seed, hasPrefill, topTokens });
  return { generated_text: sequence.text, ...(details !== false && { details }) };
}

async function stream(request: FastifyRequest, reply: FastifyReply, service: Service): Promise<FastifyReply> {
  const { model, generation, topTokens, seed } = await prepare(request, service);
  async function* events() {
    let text = "";
    let index = 0;
    for await (const token of generation.tokens()) {
      text += token.text;
      index++;
      const { finishReason } = token;
      yield {
        index,
        token: tokenOf(model.t5, token),
        ...(topTokens > 0 && { top_tokens: topTokensOf(model.t5, token) }),
        generated_text: finishReason === undefined ? null : text,
        details:
          finishReason === undefined
            ? null
            : {
                finish_reason: reasonOf(finishReason),
                generated_tokens: index,
                seed,
                input_length: generation.sourceTokens[0],
              },
      };
    }
  }
  return sendEvents(reply, events(), { error: huggingFaceError, separator: "" });
}
