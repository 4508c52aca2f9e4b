// A trial of a peer behind FastAPI and uvicorn: starts the service of ../python, and calls it over HTTP.
import { join } from "node:path";
import { clientOf, startService } from "./http.mjs";
import { digest, main } from "./measuring.mjs";
import { NEW_TOKENS, SOURCES, TARGETS } from "./service.mjs";

async function httpService(request) {
  const { python, servicePrograms, service: file } = request;
  let running;
  let client;
  const generation = (index) => ({ source: SOURCES[index % SOURCES.length], newTokens: NEW_TOKENS });
  const score = async (index, signal) => {
    const body = { source: SOURCES[index % SOURCES.length], target: TARGETS[index % TARGETS.length] };
    return JSON.parse(await client.post("/score", body, { signal })).score;
  };
  const generate = async (index, signal) =>
    JSON.parse(await client.post("/generate", generation(index), { signal })).ids;
  const service = {
    calls: {
      score,
      generate,
      stream: (index, signal, onData) => client.post("/stream", generation(index), { signal, onData }),
    },
    /** Drops the calls that still wait, and waits for those that run. */
    settle: () => client.post("/drop", {}),
    check: async (call) => {
      if (call === "score") return { numbers: [await score(0)] };
      return call === "generate" && { rows: [digest(await generate(0))] };
    },
  };
  return {
    versions: () => running.announced.versions,
    async load() {
      running = await startService(python, [join(servicePrograms, file), JSON.stringify(request)]);
      client = clientOf(running.announced.port);
    },
    service: () => service,
    async dispose() {
      client.close();
      await running.stop();
    },
  };
}

await main(httpService);
