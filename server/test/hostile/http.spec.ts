import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout } from "node:timers/promises";
import fc from "fast-check";
import { useServer } from "../support/server.js";

/** The same requests in every run. */
const SEED = 20_261_127;
const RUNS = 150;
const POLL_MS = 20;

/** Valid bodies, which random values then replace parts of. */
const BODIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "/v2/models/demo/infer": {
    id: "a",
    inputs: [{ name: "input_ids", datatype: "INT64", shape: [1, 2], data: [5, 1] }],
    outputs: [{ name: "logits", parameters: { binary_data: true } }],
    parameters: { positions: "last", tokens: [1, 2] },
  },
  "/v2/models/demo/generate": { text_input: "a", parameters: { max_tokens: 3, num_beams: 2, stop: ["b"] } },
  "/v2/models/demo/generate_stream": { text_input: "a", parameters: { max_tokens: 3 } },
  "/generate": { inputs: "a", parameters: { max_new_tokens: 3, top_k: 2, seed: 1, details: true, stop: ["b"] } },
  "/generate_stream": { inputs: "a", parameters: { max_new_tokens: 3 } },
  "/": { inputs: "a", stream: true, parameters: { max_new_tokens: 3 } },
  "/embed": { inputs: ["a", "b"], normalize: true, truncate: true, prompt_name: null },
  "/rerank": { query: "a", texts: ["b", "c"], raw_scores: true, return_text: true },
  "/score": { source: "a", targets: ["b"], reduction: "mean", addSpecialTokens: false, maxLength: 4 },
  "/v1/completions": {
    model: "demo",
    prompt: ["a"],
    max_tokens: 3,
    temperature: 1,
    n: 2,
    logprobs: 2,
    stop: "b",
    stream: true,
  },
  "/v1/embeddings": { model: "demo", input: "a", encoding_format: "base64" },
};

const value = fc.oneof(
  fc.constantFrom<unknown>(null, -1, 0, 0.5, 1e308, 2 ** 31, 2 ** 53, "", "-1", "\u0000", "\ud800", [], {}, [[]], true),
  fc.constantFrom<unknown>([2 ** 31, 2 ** 31], [1, -1], [0], "x".repeat(3000), Array(200).fill(1), { __proto__: 1 }),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Every path to a part of a value. */
function pathsOf(part: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof part !== "object" || part === null) return [path];
  return [path, ...Object.entries(part).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

function replaced(part: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  if (Array.isArray(part))
    return part.map((inner, index) => (String(index) === key ? replaced(inner, rest, by) : inner));
  const object = part as Readonly<Record<string, unknown>>;
  return { ...object, [key]: replaced(object[key], rest, by) };
}

/** A body of a route with one to three parts replaced, or JSON that is cut. */
const attack = fc.constantFrom(...Object.keys(BODIES)).chain((path) => {
  const body = BODIES[path];
  const change = fc.tuple(fc.constantFrom(...pathsOf(body)), value);
  const changed = fc
    .array(change, { minLength: 1, maxLength: 3 })
    .map((changes) =>
      JSON.stringify(changes.reduce((result, [at, by]) => safelyReplaced(result, at, by), body as unknown)),
    );
  const cut = fc.nat(200).map((length) => JSON.stringify(body).slice(0, length));
  return fc.record({ path: fc.constant(path), text: fc.oneof({ weight: 4, arbitrary: changed }, cut, fc.string()) });
});

/** A path of the original may no longer exist. */
function safelyReplaced(part: unknown, at: readonly string[], by: unknown): unknown {
  try {
    return replaced(part, at, by);
  } catch {
    return by;
  }
}

describe("hostile HTTP", () => {
  const server = useServer({ logLevel: "error" });

  /** Checks that the server answers as before, and that no request was an unforeseen error. */
  const checkServes = async () => {
    assert.deepEqual(await server().json("/generate", { inputs: "spell number: 7" }), { generated_text: "seven" });
    assert.equal(server().stdout, "");
    assert.equal(server().child.exitCode, null);
  };

  /** Sends bytes, and resolves to everything that comes back until the server closes the connection. */
  async function send(...parts: readonly (string | Buffer)[]): Promise<string> {
    const socket: Socket = connect(server().port, "127.0.0.1");
    let received = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      received += chunk;
    });
    // The server may close before everything is written.
    socket.on("error", () => {});
    for (const part of parts) socket.write(part);
    await new Promise((resolve) => socket.once("close", resolve));
    return received;
  }

  it("random bodies are answered with 200 or 4xx", async () => {
    const statuses = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(attack, async ({ path, text }) => {
        const response = await server().fetch(path, text);
        const answer = await response.text();
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        assert.ok(
          response.status === 200 || (response.status >= 400 && response.status < 500),
          `${response.status} ${answer}`,
        );
        // An event after the first one may be an error, but of the request as well.
        assert.doesNotMatch(answer, /ERR_INTERNAL|unforeseen/);
        if (response.status !== 200) assert.match(answer, /"code":"ERR_\w+"/);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    assert.ok((statuses.get(200) ?? 0) > 5 && (statuses.get(400) ?? 0) > 5 && (statuses.get(422) ?? 0) > 5);
    await checkServes();
  });

  it("random binary tails are answered with 200 or 400", async () => {
    const input = { name: "input_ids", datatype: "INT64", shape: [1, 2], parameters: { binary_data_size: 16 } };
    const json = Buffer.from(JSON.stringify({ inputs: [input] }));
    const text = { ...input, name: "text", datatype: "BYTES", shape: [1] };
    const texts = Buffer.from(JSON.stringify({ inputs: [text] }));
    const lengths = fc.oneof(fc.constantFrom(json.length, texts.length, 0, 1e12), fc.nat(200));
    const tails = fc.oneof(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.uint8Array({ maxLength: 40 }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(json, texts), lengths, tails, async (head, length, tail) => {
        const response = await fetch(`${server().url}/v2/models/demo/infer`, {
          method: "POST",
          body: Buffer.concat([head, tail]),
          headers: { "inference-header-content-length": String(length) },
        });
        assert.ok([200, 400].includes(response.status), `${response.status} ${await response.text()}`);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    await checkServes();
  });

  it("deeply nested JSON is refused", async () => {
    const depth = 200_000;
    const nested = "[".repeat(depth) + "]".repeat(depth);
    for (const [path, body] of [
      ["/generate", `{"inputs":${nested}}`],
      ["/v2/models/demo/infer", `{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":${nested}}]}`],
      ["/v2/models/demo/infer", `{"inputs":[],"parameters":{"tokens":${nested}}}`],
      ["/v1/completions", `{"model":"demo","prompt":"a","logit_bias":${nested}}`],
      ["/v2/models/demo/generate", `{"text_input":"a","parameters":{"num_beams":${nested}}}`],
      ["/v2/models/demo/generate", `{"text_input":"a","parameters":{"suppress_tokens":${nested}}}`],
    ] as const) {
      const response = await server().fetch(path, body);
      assert.ok([400, 422].includes(response.status), `${response.status} ${await response.text()}`);
    }
    await checkServes();
  });

  it("keys that JavaScript treats specially are refused or have no effect", async () => {
    for (const key of ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"]) {
      for (const path of Object.keys(BODIES)) {
        const response = await server().fetch(path, `{"${key}":{"inputs":"a"},"parameters":{"${key}":{"a":1}}}`);
        assert.ok([400, 422].includes(response.status), `${path} ${key} ${response.status} ${await response.text()}`);
      }
    }
    await checkServes();
  });

  it("a flood of headers, a long URL and bytes that are no HTTP are answered with 4xx, and the connection is closed", async () => {
    // A little over Node's limit of 16 KiB, so that the server reads all of it before it closes the connection: bytes that
    // it has not read would reset the connection, and the answer could be lost.
    const flood = Array.from({ length: 700 }, (_, index) => `x-${index}: ${"a".repeat(20)}\r\n`).join("");
    for (const [name, text, status] of [
      ["headers", `GET /v2 HTTP/1.1\r\nhost: a\r\n${flood}\r\n`, 431],
      ["one header", `GET /v2 HTTP/1.1\r\nhost: a\r\nx: ${"a".repeat(20_000)}\r\n\r\n`, 431],
      ["URL", `GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
      ["garbage", "\u0000\u0001garbage\r\n\r\n", 400],
      ["version", "GET / HTTP/9.9\r\n\r\n", 400],
      ["length", "POST /generate HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n", 400],
      [
        "two lengths",
        "POST /generate HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        400,
      ],
      ["chunk", "POST /generate HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400],
      ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ] as const) {
      assert.match(await send(text), new RegExp(`^HTTP/1\\.1 ${status} `), name);
    }
    await checkServes();
  });

  it("odd paths are answered with 4xx", async () => {
    for (const path of [
      ...[
        "/%",
        "/%00",
        "/v2/models/%ff",
        "/v2/models/..%2f..%2fetc",
        "/docs/static/..%2f..%2fpackage.json",
        "//",
        "/v2/models//infer",
      ],
      `/v2/models/${"a".repeat(5000)}`,
      `/v2/models/demo/versions/${"9".repeat(400)}`,
    ]) {
      const answer = await send(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 4\d\d /, path);
    }
    await checkServes();
  });

  it("a body that ends early frees its request", async () => {
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(server().port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(
        "POST /generate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{",
      );
      return socket;
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    await checkServes();
    for (const socket of sockets) socket.destroy();
    while ((await server().metric("torch_t5_requests_in_flight")) !== 1) await setTimeout(POLL_MS);
    await checkServes();
  });
});
