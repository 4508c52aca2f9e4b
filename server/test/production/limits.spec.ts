import assert from "node:assert/strict";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { ServiceError } from "@grpc/grpc-js";
import { before } from "mocha";
import { grpcClient } from "../support/grpc.js";
import { useServer } from "../support/server.js";

/** A request for tokens without an end: it runs until it is aborted, or for longer than a test may take. */
const ENDLESS = { max_new_tokens: 100_000, eos_token_id: [], do_sample: true };
const POLL_MS = 20;
const LIMITS = { newTokens: 100_000, bodyBytes: 10_000, rows: 2, tokens: 50, outputBytes: 2000 };
/** Streams that wait for their consumers are among them. */
const RUNNING = 'torch_t5_model_running_requests{model="demo"}';

describe("the limits of requests", () => {
  const server = useServer({ limits: LIMITS });
  const refusal = async (path: string, body: unknown) => {
    const response = await server().fetch(path, body);
    const { code, error } = (await response.json()) as { readonly code: string; readonly error: unknown };
    return [response.status, code ?? (error as { code: string }).code];
  };

  it("refuses larger bodies with 413, in the shape of each protocol", async () => {
    const inputs = "a".repeat(11_000);
    assert.deepEqual(await refusal("/generate", { inputs }), [413, "ERR_BODY_TOO_LARGE"]);
    assert.deepEqual(await refusal("/v1/completions", { model: "demo", prompt: inputs }), [413, "ERR_BODY_TOO_LARGE"]);
    assert.deepEqual(await refusal("/v2/models/demo/infer", inputs), [413, "ERR_BODY_TOO_LARGE"]);
  });

  it("refuses more rows, tokens and new tokens before native work", async () => {
    const queued = await server().metric('torch_t5_native_requests_total{call="embed",code="ok"}');
    assert.deepEqual(await refusal("/embed", { inputs: ["a", "b", "c"] }), [422, "ERR_LIMIT"]);
    assert.deepEqual(await refusal("/embed", { inputs: "a ".repeat(60) }), [422, "ERR_LIMIT"]);
    assert.deepEqual(await refusal("/rerank", { query: "a ".repeat(60), texts: ["b"] }), [422, "ERR_LIMIT"]);
    assert.deepEqual(await refusal("/score", { source: "a", targets: ["a ".repeat(60)] }), [400, "ERR_LIMIT"]);
    const generate = (parameters: object) => refusal("/generate", { inputs: "a", parameters });
    assert.deepEqual(await generate({ max_new_tokens: 100_001 }), [422, "ERR_LIMIT"]);
    assert.deepEqual(await generate({ max_length: 100_001 }), [422, "ERR_LIMIT"]);
    assert.deepEqual(await generate({ num_beams: 3 }), [422, "ERR_LIMIT"]);
    assert.deepEqual(await refusal("/v1/completions", { model: "demo", prompt: "a", n: 3, temperature: 1 }), [
      400,
      "ERR_LIMIT",
    ]);
    assert.deepEqual(await refusal("/v1/completions", { model: "demo", prompt: [Array(51).fill(1)] }), [
      400,
      "ERR_LIMIT",
    ]);
    assert.equal(await server().metric('torch_t5_native_requests_total{call="embed",code="ok"}'), queued);
  });

  it("refuses answers that are too large, of which JSON counts four times", async () => {
    const infer = (parameters: object) => {
      const inputs = [{ name: "text", datatype: "BYTES", shape: [1], data: ["a"] }];
      return { inputs, parameters };
    };
    // 399 logits: 1596 bytes, or 6384 in JSON.
    assert.deepEqual(await refusal("/v2/models/demo/infer", infer({})), [400, "ERR_LIMIT"]);
    const binary = await server().fetch("/v2/models/demo/infer", infer({ binary_data_output: true }));
    assert.equal(binary.status, 200);
    assert.equal((await server().fetch("/v2/models/demo/infer", infer({ top_k: 5 }))).status, 200);
  });

  it("bounds generations without a number of new tokens by the model's own default", async () => {
    const answer = await server().json<{ readonly details: { readonly generated_tokens: number } }>("/generate", {
      inputs: "a",
      parameters: { details: true, eos_token_id: [] },
    });
    assert.equal(answer.details.generated_tokens, 16);
  });
});

describe("an abandoned connection", () => {
  const server = useServer({ limits: LIMITS });

  /** Waits until /metrics has a value; the test's own time limit ends the wait. */
  async function waitFor(name: string, value: number): Promise<void> {
    while ((await server().metric(name)) !== value) await setTimeout(POLL_MS);
  }

  for (const [name, path, body] of [
    ["a generation", "/generate", { inputs: "a", parameters: ENDLESS }],
    ["a stream", "/generate_stream", { inputs: "a", parameters: ENDLESS }],
    [
      "OpenAI's stream",
      "/v1/completions",
      { model: "demo", prompt: "a", stream: true, max_tokens: 100_000, eos_token_id: [] },
    ],
    ["the generate extension", "/v2/models/demo/generate", { text_input: "a", parameters: ENDLESS }],
  ] as const) {
    it(`frees the rows of ${name}`, async () => {
      const socket = connect(server().port, "127.0.0.1");
      const text = JSON.stringify(body);
      const length = Buffer.byteLength(text);
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${text}`,
      );
      await waitFor(RUNNING, 1);
      socket.destroy();
      await waitFor(RUNNING, 0);
      // The request for the metrics itself.
      await waitFor("torch_t5_requests_in_flight", 1);
    });
  }
});

describe("a cancelled call over gRPC", () => {
  const server = useServer({ limits: { rows: 32, tokens: 4000, outputBytes: 10_000_000 } });

  it("frees its rows", async () => {
    const aborted = 'torch_t5_native_requests_total{call="forward",code="ERR_ABORTED"}';
    const client = grpcClient(`127.0.0.1:${server().grpcPort}`);
    const [rows, length] = [32, 4000];
    const inputs = [{ name: "input_ids", datatype: "INT64", shape: [rows, length] }];
    const raw_input_contents = [Buffer.from(BigInt64Array.from({ length: rows * length }, () => 5n).buffer)];
    const { answer, cancel } = client.start("ModelInfer", { model_name: "demo", inputs, raw_input_contents });
    const cancelled = assert.rejects(answer, (error: ServiceError) => error.code === 1);
    while ((await server().metric(RUNNING)) !== 1) await setTimeout(POLL_MS);
    cancel();
    await cancelled;
    while ((await server().metric(aborted)) !== 1) await setTimeout(POLL_MS);
    client.close();
  });
});

describe("the time limit", () => {
  // Long enough for a first token on a busy machine, and much shorter than the generation.
  const server = useServer({ limits: { ...LIMITS, seconds: 4 } });
  const answers: Response[] = [];
  before(async () => {
    const paths = ["/generate", "/generate_stream"];
    const ask = (path: string) => server().fetch(path, { inputs: "a", parameters: ENDLESS });
    answers.push(...(await Promise.all(paths.map(ask))));
  });

  it("ends a generation with 504", async () => {
    const [response] = answers;
    assert.equal(response?.status, 504);
    assert.equal(((await response.json()) as { code: string }).code, "ERR_TIMEOUT");
  });

  it("ends a stream with an event of the error", async () => {
    const [, response] = answers;
    assert.equal(response?.status, 200);
    const last = (await response.text()).trimEnd().split("\n\n").at(-1) ?? "";
    assert.equal(JSON.parse(last.slice("data:".length)).code, "ERR_TIMEOUT");
  });
});

describe("a request that never ends", () => {
  const server = useServer({ limits: { ...LIMITS, seconds: 0.5 } });

  for (const [name, text] of [
    ["headers", "POST /generate HTTP/1.1\r\nhost: a\r\n"],
    ["a body", "POST /generate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"],
  ] as const) {
    it(`of ${name} is closed by the server`, async () => {
      const socket = connect(server().port, "127.0.0.1");
      socket.on("error", () => {});
      let answer = "";
      socket.setEncoding("utf8").on("data", (chunk: string) => {
        answer += chunk;
      });
      socket.write(text);
      await new Promise((resolve) => socket.once("close", resolve));
      assert.match(answer, /^(HTTP\/1\.1 (408|504) |$)/);
    });
  }
});

describe("a full queue", () => {
  const model = { name: "demo", path: "demo", precision: "float32", device: "cpu", intraOpThreads: 1 };
  const server = useServer({ limits: LIMITS, models: [{ ...model, maxQueueLength: 1, maxBatchSize: 1 }] });

  it("is answered with 429 and Retry-After, and the model serves on", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const endless = () =>
      server()
        .fetch("/generate", { inputs: "a", parameters: ENDLESS }, { signal })
        .then((response) => [response.status, response.headers.get("retry-after")]);
    // One runs, one waits, and each further one finds the queue full.
    const running = Array.from({ length: 4 }, endless);
    const refused = await Promise.any(running);
    assert.deepEqual(refused, [429, "1"]);
    controller.abort();
    await Promise.allSettled(running);
    let response = await server().fetch("/generate", { inputs: "spell number: 7" });
    while (response.status === 429) response = await server().fetch("/generate", { inputs: "spell number: 7" });
    assert.deepEqual(await response.json(), { generated_text: "seven" });
  });
});
