// The Open Inference Protocol over HTTP: health, metadata, and `infer` with tensors in JSON or in binary form.
import { Type } from "typebox";
import { expected } from "../../errors/server-error.js";
import { MODEL_VERSION, type ServedModel } from "../../models/served-model.js";
import type { Service } from "../../production/service.js";
import { plainError } from "../shared/plain-error.js";
import { answerErrors, contextOf, type Http } from "../shared/plugin.js";
import { HEADER_LENGTH, splitBody, TailReader } from "./binary.js";
import { infer } from "./infer.js";
import { modelMetadata, serverMetadata } from "./metadata.js";
import { bytesOf, type InputTensor, type OutputTensor, tensorFromBytes, tensorFromValues } from "./tensors.js";

declare module "fastify" {
  interface FastifyRequest {
    /** What follows the JSON of a body. */
    binaryTail: Buffer | null;
  }
}

const ModelParams = Type.Object({ model: Type.String(), version: Type.Optional(Type.String()) });
const ParametersSchema = Type.Record(Type.String(), Type.Unknown());

const InputSchema = Type.Object({
  name: Type.String(),
  datatype: Type.String({ description: "INT64, INT32 or BYTES" }),
  shape: Type.Array(Type.Integer()),
  parameters: Type.Optional(
    Type.Object({ binary_data_size: Type.Optional(Type.Integer()) }, { additionalProperties: false }),
  ),
  data: Type.Optional(Type.Array(Type.Unknown(), { description: "the elements, flat or nested" })),
});

const RequestedOutputSchema = Type.Object({
  name: Type.String(),
  parameters: Type.Optional(
    Type.Object({ binary_data: Type.Optional(Type.Boolean()) }, { additionalProperties: false }),
  ),
});

const InferBody = Type.Object({
  id: Type.Optional(Type.String()),
  parameters: Type.Optional(ParametersSchema),
  inputs: Type.Array(InputSchema, { minItems: 1 }),
  outputs: Type.Optional(Type.Array(RequestedOutputSchema)),
});

type InferRequestBody = Type.Static<typeof InferBody>;

/** Adds `/v2` and everything below it but the generate extension. */
export function inferenceRoutes(http: Http, service: Service): void {
  const { models } = service;
  answerErrors(http, plainError);
  http.decorateRequest("binaryTail", null);
  // Clients state different types, and some none: the header with the length decides.
  http.removeAllContentTypeParsers();
  http.addContentTypeParser("*", { parseAs: "buffer" }, (request, body: Buffer, done) => {
    try {
      const { json, tail } = splitBody(body, request.headers[HEADER_LENGTH]);
      request.binaryTail = tail;
      done(null, parseJson(json));
    } catch (error) {
      done(error as Error);
    }
  });

  const schema = (summary: string, more = {}) => ({ summary, tags: ["Open Inference Protocol"], ...more });
  http.get("/v2", { schema: schema("Server metadata") }, () => serverMetadata);
  http.get("/v2/health/live", { schema: schema("Whether the server runs") }, () => ({ live: true }));
  http.get("/v2/health/ready", { schema: schema("Whether every model is loaded") }, (_, reply) =>
    reply.code(service.isReady ? 200 : 503).send({ ready: service.isReady }),
  );

  for (const path of ["/v2/models/:model", "/v2/models/:model/versions/:version"]) {
    const found = ({ model, version }: Type.Static<typeof ModelParams>) => models.find(model, version);
    http.get(path, { schema: schema("Model metadata", { params: ModelParams }) }, ({ params }) =>
      modelMetadata(found(params as Type.Static<typeof ModelParams>)),
    );
    http.get(
      `${path}/ready`,
      { schema: schema("Whether a model is loaded", { params: ModelParams }) },
      (request, reply) => {
        const { name, isReady } = found(request.params as Type.Static<typeof ModelParams>);
        return reply.code(isReady ? 200 : 503).send({ name, ready: isReady });
      },
    );
    const options = { schema: schema("Inference", { params: ModelParams, body: InferBody }) };
    http.post(`${path}/infer`, options, async (request, reply) => {
      const model = found(request.params as Type.Static<typeof ModelParams>);
      const body = request.body as InferRequestBody;
      const { id, parameters = {}, outputs = [] } = body;
      const inputs = readInputs(body, request.binaryTail ?? Buffer.alloc(0));
      const isBinary = binaryOutputs(body);
      const computed = await infer(
        model,
        { inputs, outputs: outputs.map(({ name }) => name), parameters, isJson: !isBinary("") },
        contextOf(request, service),
      );
      const { head, tail } = writeOutputs(model, id, computed, isBinary);
      if (tail.length === 0) return reply.type("application/json").send(head);
      return reply
        .header("Inference-Header-Content-Length", head.length)
        .type("application/octet-stream")
        .send(Buffer.concat([head, ...tail]));
    });
  }
}

function parseJson(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString("utf8"));
  } catch (error) {
    throw expected(`JSON (${(error as Error).message})`, "the body", json.toString("utf8", 0, 40));
  }
}

function readInputs({ inputs }: InferRequestBody, tail: Buffer): readonly InputTensor[] {
  const reader = new TailReader(tail);
  const tensors = inputs.map(({ parameters, data, ...head }) => {
    const size = parameters?.binary_data_size;
    if (size !== undefined && data === undefined) return tensorFromBytes(head, reader.take(size, head.name));
    if (data !== undefined && size === undefined) return tensorFromValues(head, data);
    throw expected("either data or binary_data_size", head.name, data === undefined ? "neither" : "both");
  });
  reader.checkEnd();
  return tensors;
}

/** Which outputs are binary. Of an empty name: whether those without a setting of their own are. */
function binaryOutputs({ parameters = {}, outputs = [] }: InferRequestBody): (name: string) => boolean {
  const all = parameters.binary_data_output ?? false;
  if (typeof all !== "boolean") throw expected("a boolean", "binary_data_output", all);
  // With one output in JSON, the limit of JSON applies.
  const settings = outputs.map(({ parameters }) => parameters?.binary_data ?? all);
  const isAllBinary = outputs.length === 0 ? all : settings.every(Boolean);
  return (name) => {
    const index = outputs.findIndex((output) => output.name === name);
    return settings[index] ?? isAllBinary;
  };
}

function writeOutputs(
  { name }: ServedModel,
  id: string | undefined,
  outputs: readonly OutputTensor[],
  isBinary: (name: string) => boolean,
): { readonly head: Buffer; readonly tail: readonly Buffer[] } {
  const tail: Buffer[] = [];
  const written = outputs.map((output) => {
    const { name, datatype, shape, data } = output;
    if (!isBinary(name)) return { name, datatype, shape, data: Array.from(data) };
    const bytes = bytesOf(output);
    tail.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const head = { model_name: name, model_version: MODEL_VERSION, ...(id !== undefined && { id }), outputs: written };
  return { head: Buffer.from(JSON.stringify(head)), tail };
}
