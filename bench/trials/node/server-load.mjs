// Load on an HTTP server in another process: autocannon sends the requests of a route over a number of connections; streams, and calls
// of other protocols, are closed loops in this process.
import { clientOf } from "./http.mjs";
import { BURST_MS, closedLoop, MAX_SECONDS, minCompleted } from "./load.mjs";
import { importPeer } from "./packages.mjs";
import { DOCUMENTS, PROMPT, QUERY } from "./requests.mjs";
import { NEW_TOKENS } from "./service.mjs";

const generation = { inputs: PROMPT, parameters: { max_new_tokens: NEW_TOKENS } };

/** The routes of text-generation-inference and text-embeddings-inference, which several servers have. */
export const TEXT_ROUTES = {
  "text generate": { path: "/generate", body: generation },
  "text stream": { path: "/generate_stream", body: generation, isStream: true },
  rerank: { path: "/rerank", body: { query: QUERY, texts: DOCUMENTS } },
};

/**
 * The loads of a server: `routes` over HTTP, and other `calls` as those of ./load.mjs. `settle(client)` ends what a server still
 * computes for connections that are closed.
 */
export function serverLoads(
  { announced: { port }, cpuSeconds },
  { routes, calls = {}, nodePeers, isConcurrent = true, settle },
) {
  const client = clientOf(port);
  const streams = Object.entries(routes).flatMap(([name, { path, body, isStream }]) =>
    isStream ? [[name, (_, signal, onData) => client.post(path, body, { signal, onData })]] : [],
  );
  const loops = { ...Object.fromEntries(streams), ...calls };
  const once = (name) => loops[name] ?? (() => client.post(routes[name].path, routes[name].body));
  const names = [...Object.keys(routes), ...Object.keys(calls)];
  return {
    calls: Object.fromEntries(names.map((name) => [name, once(name)])),
    /** `{ calls, rate, cpuMilliseconds }` of a closed loop of `count` connections. */
    async measure(name, count, seconds) {
      const before = cpuSeconds();
      const service = { calls: loops, isConcurrent, settle: undefined };
      const loop = loops[name]
        ? await closedLoop(service, name, count, seconds)
        : await cannon(await importPeer(nodePeers, "autocannon"), {
            ...{ url: `http://127.0.0.1:${port}${routes[name].path}`, body: routes[name].body },
            ...{ count, seconds, needed: minCompleted(count, isConcurrent) },
          });
      const completed = loop.calls.filter(({ isComplete }) => isComplete).length;
      const cpuMilliseconds = before === undefined ? undefined : ((cpuSeconds() - before) * 1000) / completed;
      await settle?.(client);
      return { ...loop, cpuMilliseconds };
    },
  };
}

/** A closed loop of autocannon, whose window ends as that of `closedLoop`. Rejects where an answer isn't 200. */
function cannon(autocannon, { url, body, count, seconds, needed }) {
  const calls = [];
  const started = performance.now();
  let last = started;
  let isEnding = false;
  return new Promise((resolve, reject) => {
    const options = {
      ...{ url, connections: count, duration: MAX_SECONDS, timeout: 2 * MAX_SECONDS, method: "POST" },
      ...{ headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
    };
    const instance = autocannon(options, (error, result) => {
      clearInterval(timer);
      if (error) reject(error);
      else if (result.non2xx > 0) reject(new Error(`${url} answers ${result.non2xx} requests with errors`));
      else if (calls.length === 0) reject(new Error(`${url} answers no request in ${MAX_SECONDS} s`));
      else resolve({ calls, rate: (calls.length * 1000) / (last - started) });
    });
    const endIfOver = () => {
      if (isEnding || performance.now() - started < seconds * 1000 || calls.length < needed) return;
      isEnding = true;
      setTimeout(() => instance.stop(), BURST_MS);
    };
    const timer = setInterval(endIfOver, 50);
    instance.on("response", (_client, _status, _bytes, total) => {
      last = performance.now();
      calls.push({ total, isComplete: true });
      endIfOver();
    });
  });
}
