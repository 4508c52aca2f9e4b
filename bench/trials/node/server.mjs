// A trial of torch-t5-server: starts it in a process of its own, and sends it requests over HTTP and gRPC.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { root } from "../../../scripts/setup/paths.mjs";
import { grpcClient } from "./grpc.mjs";
import { startService } from "./http.mjs";
import { main } from "./measuring.mjs";
import { INFER_INPUT, INFER_TOKENS } from "./requests.mjs";
import { serverLoads, TEXT_ROUTES } from "./server-load.mjs";

const MODEL = "t5";
/** More than the connections of any case. */
const MAX_QUEUE = 1024;

const tensor = (name, [row]) => ({ name, datatype: "INT64", shape: [1, row.length], data: row });

const ROUTES = {
  ...TEXT_ROUTES,
  infer: {
    path: `/v2/models/${MODEL}/infer`,
    body: {
      inputs: [tensor("input_ids", INFER_INPUT.inputIds), tensor("decoder_input_ids", INFER_INPUT.decoderInputIds)],
      parameters: { tokens: INFER_TOKENS },
    },
  },
};

async function server({ directories, precision, threads, nodePeers }) {
  const directory = mkdtempSync(join(tmpdir(), "torch-t5-bench-"));
  let running;
  let grpc;
  return {
    versions: () => ({}),
    async load() {
      const file = join(directory, "config.json");
      const model = { name: MODEL, path: directories.model, precision, device: "cpu", intraOpThreads: threads };
      const models = [{ ...model, maxQueueLength: MAX_QUEUE }];
      writeFileSync(file, JSON.stringify({ port: 0, grpcPort: 0, models }));
      let ports;
      const isReady = (line) => {
        const found = /listens on http:\/\/127\.0\.0\.1:(\d+), and on port (\d+)/.exec(line);
        if (found) ports = { port: Number(found[1]), grpcPort: Number(found[2]) };
        return /is ready/.test(line) && ports;
      };
      running = await startService(execPath, [join(root, "server", "dist", "main.js"), "--config", file], { isReady });
      grpc = grpcClient(running.announced.grpcPort, MODEL);
    },
    service: () =>
      serverLoads(running, {
        ...{ routes: ROUTES, nodePeers, calls: { "infer over gRPC": grpc.infer } },
      }),
    async dispose() {
      grpc.close();
      await running.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

await main(server);
