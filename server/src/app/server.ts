// A server from its start to its end: it listens, loads its models, serves, drains and closes.
import type { AddressInfo } from "node:net";
import { type ConfigInput, checkConfig } from "../config/config.js";
import { Service } from "../production/service.js";
import { type Grpc, startGrpc } from "./grpc.js";
import { createHttp } from "./http.js";

/** A server that listens. */
export interface RunningServer {
  /** Where HTTP listens: "http://127.0.0.1:8080". */
  readonly url: string;
  /** The port of gRPC; undefined without gRPC. */
  readonly grpcPort: number | undefined;
  /** Resolves once all models are loaded. Rejects if one cannot be, and with ERR_SHUTTING_DOWN after `close()`. */
  readonly ready: Promise<void>;
  /**
   * Answers new requests with 503, waits for those that run, for at most `drainSeconds` of the configuration, then closes
   * and frees everything. Resolves to whether all requests ended by themselves. Idempotent.
   */
  close(): Promise<boolean>;
}

/** Starts a server. Resolves when it listens; the models are loaded after that. Rejects with ERR_INVALID_ARGUMENT. */
export async function startServer(input: ConfigInput = {}): Promise<RunningServer> {
  const config = checkConfig(input);
  const service = await Service.create(config);
  const http = await createHttp(service);
  await http.listen({ host: config.host, port: config.port });
  let grpc: Grpc | undefined;
  try {
    if (config.grpcPort !== null) grpc = await startGrpc(service, config.host, config.grpcPort);
  } catch (error) {
    await http.close();
    throw error;
  }
  const { port, family, address } = http.server.address() as AddressInfo;
  const host = family === "IPv6" ? `[${address}]` : address;
  const ready = service.load().then(() => {
    http.log.info({ models: service.models.all.map(({ name }) => name) }, "ready");
  });
  // A rejection is the caller's, who may wait for it later.
  ready.catch(() => {});
  let closing: Promise<boolean> | undefined;

  async function close(): Promise<boolean> {
    http.log.info("draining");
    const isDrained = await service.drain(config.drainSeconds);
    await ready.catch(() => {});
    await http.close();
    await grpc?.close();
    await service.dispose();
    http.log.info({ isDrained }, "closed");
    return isDrained;
  }

  return {
    url: `${config.tls === undefined ? "http" : "https"}://${host}:${port}`,
    grpcPort: grpc?.port,
    ready,
    close() {
      closing ??= close();
      return closing;
    },
  };
}
