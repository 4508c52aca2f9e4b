import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { ServiceError } from "@grpc/grpc-js";
import { demoModel } from "torch-t5";
import { filesOf, HubServer, repositoryOf } from "../../../test/hub/server.js";
import { withDirectory } from "../../../test/support/directory.js";
import { grpcClient } from "../support/grpc.js";
import { TestServer } from "../support/server.js";

const POLL_MS = 20;
const LIMITS = { newTokens: 100_000 };
const ENDLESS = { inputs: "a", parameters: { max_new_tokens: 100_000, eos_token_id: [], do_sample: true } };

/** A stream of tokens without an end, of which one was read. */
async function openStream(server: TestServer, signal?: AbortSignal): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const response = await server.fetch("/generate_stream", ENDLESS, signal === undefined ? {} : { signal });
  assert.ok(response.body !== null);
  const reader = response.body.getReader();
  await reader.read();
  return reader;
}

async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text = (text + decoder.decode(value, { stream: true })).slice(-2000);
  }
}

describe("SIGTERM", () => {
  it("ends an idle server with 0, and SIGINT does as well", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const server = await TestServer.start();
      server.child.kill(signal);
      assert.deepEqual(await server.ended, { code: 0, signal: null });
    }
  });

  it("lets running requests end, answers new ones with 503, and ends with 0", async () => {
    const server = await TestServer.start({ limits: LIMITS, drainSeconds: 600 });
    const abort = new AbortController();
    const endless = await openStream(server, abort.signal);
    server.child.kill("SIGTERM");
    let ready = await server.fetch("/v2/health/ready");
    while (ready.status === 200) ready = await server.fetch("/v2/health/ready");
    for (const path of ["/v2/health/ready", "/health"]) assert.equal((await server.fetch(path)).status, 503);
    for (const path of ["/v2/health/live", "/metrics"]) assert.equal((await server.fetch(path)).status, 200);
    const refused = await server.fetch("/generate", { inputs: "a" });
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
    assert.equal(((await refused.json()) as { code: string }).code, "ERR_SHUTTING_DOWN");
    // The stream runs on.
    assert.equal((await endless.read()).done, false);
    abort.abort();
    assert.deepEqual(await server.ended, { code: 0, signal: null });
  });

  it("ends requests that take longer than drainSeconds, and ends with 0", async () => {
    const server = await TestServer.start({ limits: LIMITS, drainSeconds: 0.2 });
    const endless = await openStream(server);
    const waiting = server.fetch("/generate", ENDLESS);
    const waited = waiting.then(async (response) => [
      response.status,
      ((await response.json()) as { code: string }).code,
    ]);
    while ((await server.metric("torch_t5_requests_in_flight")) !== 3) await setTimeout(POLL_MS);
    server.child.kill("SIGTERM");
    assert.match(await readToEnd(endless), /"code":"ERR_SHUTTING_DOWN"\}\n\n$/);
    assert.deepEqual(await waited, [503, "ERR_SHUTTING_DOWN"]);
    assert.deepEqual(await server.ended, { code: 0, signal: null });
  });
});

describe("before the models are loaded", () => {
  it("SIGTERM ends the server with 0, without the models that are not loaded yet", () =>
    withHeldModel(async (held, env) => {
      // The second one would be an error.
      const models = [held, { name: "second", path: "nowhere" }];
      const server = await TestServer.start({ models, logLevel: "info" }, env, "listens on");
      server.child.kill("SIGTERM");
      assert.deepEqual(await server.ended, { code: 0, signal: null });
      assert.match(server.stdout, /draining/);
      assert.doesNotMatch(server.stderr, /ready|ERR_/);
    }));

  it("the server is live but not ready, and answers with 503", () =>
    withHeldModel(async (held, env, release) => {
      const models = [{ ...held, precision: "float32", device: "cpu", intraOpThreads: 1 }];
      const server = await TestServer.start({ models }, env, "listens on");
      const [live, ready, model, generated] = await Promise.all([
        server.fetch("/v2/health/live"),
        server.fetch("/v2/health/ready"),
        server.fetch("/v2/models/demo/ready"),
        server.fetch("/generate", { inputs: "a" }),
      ]);
      assert.deepEqual([live.status, ready.status, model.status, generated.status], [200, 503, 503, 503]);
      assert.equal(((await generated.json()) as { code: string }).code, "ERR_NOT_READY");
      const grpc = grpcClient(`127.0.0.1:${server.grpcPort}`);
      assert.deepEqual(await grpc.call("ServerReady", {}), { ready: false });
      assert.deepEqual(await grpc.call("ModelReady", { name: "demo" }), { ready: false });
      const unavailable = (error: ServiceError) => error.code === 14 && /ERR_NOT_READY/.test(error.details);
      await assert.rejects(grpc.call("ModelMetadata", { name: "demo" }), unavailable);
      release();
      while ((await server.fetch("/v2/health/ready")).status === 503) await setTimeout(POLL_MS);
      assert.deepEqual(await grpc.call("ServerReady", {}), { ready: true });
      assert.equal((await server.fetch("/generate", { inputs: "a" })).status, 200);
      grpc.close();
      assert.equal((await server.stop()).code, 0);
    }));
});

type Environment = Readonly<Record<string, string>>;

/** Calls with a model on a hub that accepts connections, and answers once it is released. */
function withHeldModel(
  run: (model: { name: string; hub: string }, env: Environment, release: () => void) => Promise<void>,
): Promise<void> {
  return withDirectory(async (home) => {
    const hub = await HubServer.start();
    hub.add("org/demo", repositoryOf(filesOf(demoModel)));
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const gate = createServer((socket) => {
      const ignoreReset = () => {}; // by a server that ends
      socket.on("error", ignoreReset);
      released.then(() => {
        const behind = connect(Number(new URL(hub.endpoint).port), "127.0.0.1").on("error", ignoreReset);
        socket.pipe(behind).pipe(socket);
      });
    });
    gate.listen(0, "127.0.0.1");
    await once(gate, "listening");
    const env = {
      ...{ HF_HOME: home, HF_HUB_CACHE: join(home, "hub"), HF_TOKEN: "", HF_HUB_OFFLINE: "", TRANSFORMERS_OFFLINE: "" },
      HF_ENDPOINT: `http://127.0.0.1:${(gate.address() as AddressInfo).port}`,
    };
    try {
      await run({ name: "demo", hub: "org/demo" }, env, release);
    } finally {
      gate.close();
      await hub.close();
    }
  });
}
