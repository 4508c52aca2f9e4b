// The gRPC server.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { TlsSettings } from "../config/schema.js";
import type { Service } from "../production/service.js";
import { inferenceImplementation, inferenceService } from "../protocols/inference/grpc.js";
import { readTls } from "./tls.js";

/** Bytes of an answer beside its tensors. */
const ANSWER_BYTES = 2 ** 20;
/** Calls that one connection may have at the same time. */
const MAX_STREAMS = 1024;

/** Time in which clients receive their last answers and close their connections, in ms. */
const CLOSING_MS = 1000;

/** A gRPC server that listens, and its port. */
export interface Grpc {
  readonly port: number;
  close(): Promise<void>;
}

/** Starts the server. Rejects if the port cannot be used. */
export async function startGrpc(service: Service, host: string, port: number): Promise<Grpc> {
  const { limits, tls } = service.config;
  const server = new Server({
    "grpc.max_receive_message_length": limits.bodyBytes,
    "grpc.max_send_message_length": limits.outputBytes + ANSWER_BYTES,
    "grpc.max_concurrent_streams": MAX_STREAMS,
  });
  server.addService(inferenceService(), inferenceImplementation(service));
  const credentials = tls === undefined ? ServerCredentials.createInsecure() : await tlsCredentials(tls);
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, number) => (error === null ? resolve(number) : reject(error)));
  });
  return {
    port: bound,
    async close() {
      const timer = setTimeout(() => server.forceShutdown(), CLOSING_MS);
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      clearTimeout(timer);
    },
  };
}

async function tlsCredentials(tls: TlsSettings): Promise<ServerCredentials> {
  const { cert, key, ca = null } = await readTls(tls);
  return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], ca !== null);
}
