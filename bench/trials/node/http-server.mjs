// A trial of a Python server with the routes of text-generation-inference and text-embeddings-inference: starts it, and sends it
// requests.
import { join } from "node:path";
import { startService } from "./http.mjs";
import { main } from "./measuring.mjs";
import { INFER_INPUT, INFER_TOKENS } from "./requests.mjs";
import { serverLoads, TEXT_ROUTES } from "./server-load.mjs";

const ROUTES = {
  ...TEXT_ROUTES,
  infer: {
    path: "/infer",
    body: {
      input_ids: INFER_INPUT.inputIds,
      decoder_input_ids: INFER_INPUT.decoderInputIds,
      tokens: INFER_TOKENS,
    },
  },
};

async function httpServer(request) {
  const { python, servicePrograms, service: file, nodePeers } = request;
  let running;
  return {
    versions: () => running.announced.versions,
    async load() {
      running = await startService(python, [join(servicePrograms, file), JSON.stringify(request)]);
    },
    service: () =>
      serverLoads(running, {
        ...{ routes: ROUTES, nodePeers, isConcurrent: false },
        settle: (client) => client.post("/drop", {}),
      }),
    dispose: () => running.stop(),
  };
}

await main(httpServer);
