import assert from "node:assert/strict";
import { TestServer, useServer } from "../support/server.js";

describe("metrics", () => {
  const server = useServer();

  it("count requests, tokens and native requests", async () => {
    const names = {
      requests: 'torch_t5_requests_total{protocol="http",route="/generate",method="POST",status="200"}',
      refused: 'torch_t5_requests_total{protocol="http",route="/generate",method="POST",status="422"}',
      source: 'torch_t5_tokens_total{model="demo",kind="source"}',
      generated: 'torch_t5_tokens_total{model="demo",kind="generated"}',
      native: 'torch_t5_native_requests_total{call="generate",code="ok"}',
      queue: 'torch_t5_native_queue_seconds_count{call="generate"}',
      first: 'torch_t5_native_first_token_seconds_count{call="generate"}',
    };
    const read = async () =>
      Object.fromEntries(
        await Promise.all(
          Object.entries(names).map(async ([key, name]) => [key, await server().metric(name)] as const),
        ),
      );
    const before = await read();
    await server().json("/generate", { inputs: "spell number: 7" });
    await server().fetch("/generate", { inputs: "" });
    const after = await read();
    const difference = Object.fromEntries(
      Object.entries(after).map(([key, value]) => [key, value - (before[key] ?? 0)]),
    );
    const { source, ...rest } = difference;
    assert.deepEqual(rest, { requests: 1, refused: 1, generated: 2, native: 1, queue: 1, first: 1 });
    assert.ok((source ?? 0) >= 5);
  });

  it("state the models' schedulers and Node.js", async () => {
    const text = await (await server().fetch("/metrics")).text();
    for (const name of [
      'torch_t5_model_running_requests{model="demo"} 0',
      'torch_t5_model_cache_bytes{model="demo"} 0',
      'torch_t5_model_step_seconds_p50{model="demo"} ',
      'torch_t5_model_queue_seconds_p99{model="demo"} ',
      "nodejs_eventloop_lag_seconds ",
      "process_resident_memory_bytes ",
    ]) {
      assert.ok(text.includes(`\n${name}`), name);
    }
  });
});

describe("request ids", () => {
  const server = useServer();

  it("are the client's if they are valid, and are returned", async () => {
    const id = async (sent?: string) =>
      (
        await server().fetch("/v2", undefined, sent === undefined ? {} : { headers: { "x-request-id": sent } })
      ).headers.get("x-request-id");
    assert.equal(await id("abc-1"), "abc-1");
    assert.match((await id()) ?? "", /^[0-9a-f-]{36}$/);
    assert.match((await id("not valid")) ?? "", /^[0-9a-f-]{36}$/);
    assert.match((await id("a".repeat(129))) ?? "", /^[0-9a-f-]{36}$/);
  });
});

describe("the log", () => {
  for (const logTexts of [false, true]) {
    it(`has JSON lines ${logTexts ? "with the bodies if asked for" : "without texts"}`, async () => {
      const server = await TestServer.start({ logLevel: "info", logTexts });
      await server.json("/generate", { inputs: "spell number: 48213" }, { headers: { "x-request-id": "logged" } });
      await server.fetch("/generate", { inputs: "spell number: 48213", parameters: { top_k: "48213" } });
      await server.stop();
      const lines = server.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const logged = lines.filter(({ reqId, msg }) => reqId === "logged" && msg !== "request body");
      assert.deepEqual(
        logged.map(({ msg, req, res }) => [
          msg,
          (req as { url: string }).url,
          (res as { statusCode: number }).statusCode,
        ]),
        [["request completed", "/generate", 200]],
      );
      assert.equal(lines.at(-1)?.msg, "closed");
      assert.equal(server.stdout.includes("spell number"), logTexts);
      assert.equal(server.stdout.includes("forty"), false);
    });
  }
});

describe("the address", () => {
  const server = useServer();

  it("is 127.0.0.1 unless the configuration states another", () => {
    assert.match(server().url, /^http:\/\/127\.0\.0\.1:\d+$/);
  });
});
