import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import { grpcClient } from "../support/grpc.js";
import { Nginx } from "../support/nginx.js";
import { freePorts } from "../support/ports.js";
import { TestServer } from "../support/server.js";

const POLL_MS = 20;
const CLIENTS = 4;
const REQUESTS = 10;

/** Reads the first part of a stream. Resolves to the promise of all of its text. */
async function readStream(response: Response): Promise<{ readonly rest: Promise<string> }> {
  assert.equal(response.status, 200);
  assert.ok(response.body !== null);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const { value: first = "" } = await reader.read();
  const rest = (async () => {
    let text = first;
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    return text;
  })();
  return { rest };
}

describe("the example of nginx before two processes", () => {
  it("passes each part of a stream at once", async () => {
    const backend = createServer((_, response) => response.write("data: first\n\n")); // it never ends
    backend.listen(0, "127.0.0.1");
    await once(backend, "listening");
    const { port } = backend.address() as AddressInfo;
    const nginx = await Nginx.start({ http: [port, port], grpc: [port, port] });
    const { body } = await nginx.post("/generate_stream", {});
    const reader = body?.getReader();
    assert.equal(Buffer.from((await reader?.read())?.value ?? "").toString(), "data: first\n\n");
    await reader?.cancel();
    await nginx.stop();
    backend.closeAllConnections();
    backend.close();
  });

  it("passes gRPC, and loses no request while one of them drains and when it has gone", async () => {
    const [one = 0, two = 0, grpcOne = 0, grpcTwo = 0] = await freePorts(4);
    const config = (port: number, grpcPort: number) => ({
      ...{ port, grpcPort, drainSeconds: 600, limits: { newTokens: 100_000 } },
    });
    const first = await TestServer.start(config(one, grpcOne));
    const second = await TestServer.start(config(two, grpcTwo));
    const nginx = await Nginx.start({ http: [one, two], grpc: [grpcOne, grpcTwo] });
    const grpc = grpcClient(`127.0.0.1:${nginx.grpcPort}`);
    const inputs = [{ name: "text", datatype: "BYTES", shape: [1], contents: { bytes_contents: [Buffer.from("a")] } }];
    const request = { model_name: "demo", inputs };
    const { outputs } = await grpc.call<{ readonly outputs: readonly { readonly name: string }[] }>(
      "ModelInfer",
      request,
    );
    assert.equal(outputs[0]?.name, "logits");
    grpc.close();

    const askAll = () =>
      Promise.all(
        Array.from({ length: CLIENTS }, async () => {
          for (let count = 0; count < REQUESTS; count++) {
            const response = await nginx.post("/generate", { inputs: "spell number: 7" });
            assert.equal(`${response.status} ${await response.text()}`, '200 {"generated_text":"seven"}');
            assert.equal((await fetch(`${nginx.url}/v2/health/ready`)).status, 200);
          }
        }),
      );
    // One stream on each of both, and one that the first process drains until it is given up.
    const long = { inputs: "a", parameters: { max_new_tokens: 300, eos_token_id: [] } };
    const streams = await Promise.all([1, 2].map(async () => readStream(await nginx.post("/generate_stream", long))));
    const abort = new AbortController();
    const endless = { inputs: "a", parameters: { max_new_tokens: 100_000, eos_token_id: [], do_sample: true } };
    const held = await first.fetch("/generate_stream", endless, { signal: abort.signal });
    await held.body?.getReader().read();
    const asking = askAll();
    first.child.kill("SIGTERM");
    while ((await first.fetch("/v2/health/ready")).status === 200) await setTimeout(POLL_MS);
    await asking;
    await askAll();
    abort.abort();
    assert.deepEqual(await first.ended, { code: 0, signal: null });
    for (const { rest } of streams) {
      const text = await rest;
      assert.match(text, /"finish_reason":"length"/);
      assert.doesNotMatch(text, /"error"/);
    }
    await askAll();
    await nginx.stop();
    assert.equal((await second.stop()).code, 0);
  });
});
