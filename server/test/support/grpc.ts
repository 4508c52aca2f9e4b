// A client of GRPCInferenceService, made from the server's own proto file.
import { fileURLToPath } from "node:url";
import {
  type ChannelCredentials,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../proto/inference.proto", import.meta.url));
const definition = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true });
const { GRPCInferenceService } = loadPackageDefinition(definition).inference as GrpcObject;

export interface GrpcClient {
  /** Calls a method. Rejects with a ServiceError. */
  call<Answer>(method: string, request: unknown, metadata?: Metadata): Promise<Answer>;
  close(): void;
}

export function grpcClient(address: string, security: ChannelCredentials = credentials.createInsecure()): GrpcClient {
  const client = new (GRPCInferenceService as ServiceClientConstructor)(address, security);
  return {
    call: <Answer>(method: string, request: unknown, metadata = new Metadata()) =>
      new Promise<Answer>((resolve, reject) => {
        const done = (error: Error | null, answer: Answer) => (error === null ? resolve(answer) : reject(error));
        const unary = client[method] as (request: unknown, metadata: Metadata, done: unknown) => void;
        unary.call(client, request, metadata, done);
      }),
    close: () => client.close(),
  };
}
