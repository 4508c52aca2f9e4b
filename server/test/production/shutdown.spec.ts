import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { ServiceError } from "@grpc/grpc-js";
import { withModelCopy } from "../../../test/support/directory.js";
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
    withModelCopy(async (directory) => {
      const manifest = join(directory, "manifest.json");
      const content = readFileSync(manifest);
      renameSync(manifest, `${manifest}.whole`);
      execFileSync("mkfifo", [manifest]);
      // The second one would be an error.
      const models = [
        { name: "first", path: directory },
        { name: "second", path: join(directory, "nothing") },
      ];
      const server = await TestServer.start({ models, logLevel: "info" }, {}, "listens on");
      server.child.kill("SIGTERM");
      while (!server.stdout.includes("draining")) await setTimeout(POLL_MS);
      const pipe = await open(manifest, "w");
      renameSync(`${manifest}.whole`, manifest);
      await pipe.write(content);
      await pipe.close();
      assert.deepEqual(await server.ended, { code: 0, signal: null });
      assert.doesNotMatch(server.stderr, /ready|ERR_/);
    }));

  it("the server is live but not ready, and answers with 503", () =>
    withModelCopy(async (directory) => {
      // Loading waits for the pipe that is in place of a file.
      const manifest = join(directory, "manifest.json");
      const content = readFileSync(manifest);
      renameSync(manifest, `${manifest}.whole`);
      execFileSync("mkfifo", [manifest]);
      const models = [{ name: "demo", path: directory, precision: "float32", device: "cpu", intraOpThreads: 1 }];
      const server = await TestServer.start({ models }, {}, "listens on");
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
      const pipe = await open(manifest, "w");
      renameSync(`${manifest}.whole`, manifest);
      await pipe.write(content);
      await pipe.close();
      while ((await server.fetch("/v2/health/ready")).status === 503) await setTimeout(POLL_MS);
      assert.deepEqual(await grpc.call("ServerReady", {}), { ready: true });
      assert.equal((await server.fetch("/generate", { inputs: "a" })).status, 200);
      grpc.close();
      assert.equal((await server.stop()).code, 0);
    }));
});
