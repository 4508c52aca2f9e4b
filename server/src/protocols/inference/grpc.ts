// The Open Inference Protocol over gRPC: GRPCInferenceService of proto/inference.proto.
import { fileURLToPath } from "node:url";
import {
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { type Failure, failureOf } from "../../errors/failure.js";
import { expected } from "../../errors/server-error.js";
import { MODEL_VERSION } from "../../models/served-model.js";
import type { Service } from "../../production/service.js";
import { infer } from "./infer.js";
import { modelMetadata, serverMetadata } from "./metadata.js";
import { bytesOf, decodeText, type InputTensor, tensorFromBytes, tensorFromValues } from "./tensors.js";

const PROTO = fileURLToPath(new URL("../../../proto/inference.proto", import.meta.url));

/** Calls that probes make, which need no key. */
const OPEN = new Set(["ServerLive", "ServerReady"]);

/** A call that answers while the server shuts down. */
const HEALTH = new Set(["ServerLive", "ServerReady", "ModelReady"]);

/** A request whose bytes are no message: it is answered with INVALID_ARGUMENT. */
class Malformed {
  constructor(readonly reason: string) {}
}

interface ModelName {
  readonly name: string;
  readonly version: string;
}

type GrpcParameters = Readonly<Record<string, GrpcParameter>>;

/** One of its values is set. */
interface GrpcParameter {
  readonly parameter_choice?: string;
  readonly [choice: string]: unknown;
}

interface GrpcInput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters: GrpcParameters;
  readonly contents: Contents | null;
}

interface Contents {
  readonly int_contents: readonly number[];
  readonly int64_contents: readonly number[];
  readonly bytes_contents: readonly Uint8Array[];
}

interface GrpcInferRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: GrpcParameters;
  readonly inputs: readonly GrpcInput[];
  readonly outputs: readonly { readonly name: string; readonly parameters: GrpcParameters }[];
  readonly raw_input_contents: readonly Uint8Array[];
}

/** The definition of the service, which answers malformed messages with INVALID_ARGUMENT. */
export function inferenceService(): ServiceDefinition {
  const definition = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true });
  const { GRPCInferenceService } = loadPackageDefinition(definition).inference as GrpcObject;
  const { service } = GRPCInferenceService as ServiceClientConstructor;
  return Object.fromEntries(
    Object.entries(service).map(([name, method]) => {
      const { requestDeserialize } = method;
      const deserialize = (bytes: Buffer) => {
        try {
          return requestDeserialize(bytes);
        } catch (error) {
          return new Malformed((error as Error).message);
        }
      };
      return [name, { ...method, requestDeserialize: deserialize }];
    }),
  );
}

/** Answers the calls of the service. */
export function inferenceImplementation(service: Service): UntypedServiceImplementation {
  const { models } = service;

  /** A call's answer, with the checks, the signal and the metrics of every request. */
  const unary =
    <Request, Answer>(name: string, answer: (request: Request, signal: AbortSignal) => Answer | Promise<Answer>) =>
    async (call: ServerUnaryCall<Request | Malformed, Answer>, callback: sendUnaryData<Answer>): Promise<void> => {
      const started = performance.now();
      const running = service.calls.begin();
      call.on("cancelled", running.abandon);
      let status = 0;
      try {
        if (!OPEN.has(name)) service.keys.check(call.metadata.get("authorization")[0]?.toString());
        if (!HEALTH.has(name)) service.checkAccepts();
        const { request } = call;
        if (request instanceof Malformed) throw expected("a message of the protocol", "the request", request.reason);
        callback(null, await answer(request, running.signal));
      } catch (thrown) {
        const failure = failureOf(thrown);
        status = failure.grpcStatus;
        callback(grpcError(failure));
      } finally {
        running.end();
        service.metrics.countRequest("grpc", name, "unary", status, (performance.now() - started) / 1000);
      }
    };

  return {
    ServerLive: unary("ServerLive", () => ({ live: true })),
    ServerReady: unary("ServerReady", () => ({ ready: service.isReady })),
    ModelReady: unary("ModelReady", ({ name, version }: ModelName) => ({ ready: models.find(name, version).isReady })),
    ServerMetadata: unary("ServerMetadata", () => serverMetadata),
    ModelMetadata: unary("ModelMetadata", ({ name, version }: ModelName) => modelMetadata(models.find(name, version))),
    ModelInfer: unary("ModelInfer", async (request: GrpcInferRequest, signal) => {
      const model = models.find(request.model_name, request.model_version);
      const outputs = await infer(
        model,
        {
          inputs: readInputs(request),
          outputs: request.outputs.map(({ name }) => name),
          parameters: readParameters(request.parameters),
          isJson: false,
        },
        service.contextOf(signal),
      );
      return {
        model_name: model.name,
        model_version: MODEL_VERSION,
        id: request.id,
        outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
        raw_output_contents: outputs.map(bytesOf),
      };
    }),
  };
}

function grpcError(failure: Failure) {
  const metadata = new Metadata();
  metadata.set("torch-t5-code", failure.code);
  if (failure.retryAfter !== undefined) metadata.set("retry-after", String(failure.retryAfter));
  return { code: failure.grpcStatus, details: `${failure.message} (${failure.code})`, metadata };
}

function readInputs({ inputs, raw_input_contents: raw }: GrpcInferRequest): readonly InputTensor[] {
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw expected(`${inputs.length} elements, one for each input,`, "raw_input_contents", raw.length);
  }
  return inputs.map((input, index) => {
    const bytes = raw[index];
    return bytes === undefined ? tensorFromValues(input, valuesOf(input)) : tensorFromBytes(input, bytes);
  });
}

function valuesOf({ name, datatype, contents }: GrpcInput): readonly unknown[] {
  if (contents === null) return [];
  if (datatype === "INT64") return contents.int64_contents;
  if (datatype === "INT32") return contents.int_contents;
  return contents.bytes_contents.map((bytes) => decodeText(bytes, name));
}

function readParameters(parameters: GrpcParameters): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, value[value.parameter_choice ?? ""]]),
  );
}
