// A client of GRPCInferenceService, made from the server's own proto file.
import { fileURLToPath } from "node:url";
import {
  type ChannelCredentials,
  type ClientUnaryCall,
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

/** A call that runs. */
export interface GrpcCall<Answer> {
  /** Rejects with a ServiceError. */
  readonly answer: Promise<Answer>;
  cancel(): void;
}

export interface GrpcClient {
  start<Answer>(method: string, request: unknown, metadata?: Metadata): GrpcCall<Answer>;
  /** The answer of a call. */
  call<Answer>(method: string, request: unknown, metadata?: Metadata): Promise<Answer>;
  close(): void;
}

type Unary = (
  request: unknown,
  metadata: Metadata,
  done: (error: Error | null, answer: never) => void,
) => ClientUnaryCall;

export function grpcClient(address: string, security: ChannelCredentials = credentials.createInsecure()): GrpcClient {
  const client = new (GRPCInferenceService as ServiceClientConstructor)(address, security);
  function start<Answer>(method: string, request: unknown, metadata = new Metadata()): GrpcCall<Answer> {
    let cancel = () => {};
    const answer = new Promise<Answer>((resolve, reject) => {
      const unary = client[method] as unknown as Unary;
      const call = unary.call(client, request, metadata, (error, received) =>
        error === null ? resolve(received) : reject(error),
      );
      cancel = () => call.cancel();
    });
    return { answer, cancel: () => cancel() };
  }
  return {
    start,
    call: (method, request, metadata) => start<never>(method, request, metadata).answer,
    close: () => client.close(),
  };
}
