// A client of torch-t5-server's gRPC service, with a connection for each call that runs at the same time.
import { createRequire } from "node:module";
import { join } from "node:path";
import { root } from "../../../scripts/setup/paths.mjs";
import { INFER_INPUT, INFER_TOKENS } from "./requests.mjs";

const PROTO = join(root, "server", "proto", "inference.proto");

/** `{ infer(index, signal), close() }`. */
export function grpcClient(port, model) {
  const require = createRequire(join(root, "server", "package.json"));
  const { credentials, loadPackageDefinition } = require("@grpc/grpc-js");
  const { loadSync } = require("@grpc/proto-loader");
  const definition = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true });
  const { GRPCInferenceService } = loadPackageDefinition(definition).inference;
  const idle = [];
  const clients = [];
  const open = () => {
    // Of its own: clients of one address share a connection by default.
    const options = { "grpc.use_local_subchannel_pool": 1 };
    const client = new GRPCInferenceService(`127.0.0.1:${port}`, credentials.createInsecure(), options);
    clients.push(client);
    return client;
  };
  const request = {
    model_name: model,
    inputs: [
      { name: "input_ids", datatype: "INT64", shape: [1, INFER_INPUT.inputIds[0].length] },
      { name: "decoder_input_ids", datatype: "INT64", shape: [1, INFER_INPUT.decoderInputIds[0].length] },
    ],
    parameters: { tokens: { string_param: JSON.stringify(INFER_TOKENS) } },
    raw_input_contents: [INFER_INPUT.inputIds, INFER_INPUT.decoderInputIds].map(([row]) =>
      Buffer.from(BigInt64Array.from(row, BigInt).buffer),
    ),
  };
  const infer = (_, signal) =>
    new Promise((resolve, reject) => {
      const client = idle.pop() ?? open();
      const call = client.ModelInfer(request, (error, answer) => {
        idle.push(client);
        signal.removeEventListener("abort", cancel);
        if (error) reject(error);
        else resolve(answer);
      });
      const cancel = () => call.cancel();
      signal.addEventListener("abort", cancel, { once: true });
    });
  return {
    infer,
    close() {
      for (const client of clients) client.close();
    },
  };
}
