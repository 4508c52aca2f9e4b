// `npm run test:server`: the long form of nginx.spec.ts, which waits until nginx tries a process again that was away.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Nginx } from "../support/nginx.js";
import { freePorts } from "../support/ports.js";
import { TestServer } from "../support/server.js";

const POLL_MS = 20;
const CLIENTS = 4;
const ANSWERED = 'torch_t5_requests_total{protocol="http",route="/generate",method="POST",status="200"}';

describe("the example of nginx before two processes", () => {
  it("loses no request while both are restarted, one after the other", async () => {
    const [one = 0, two = 0, grpcOne = 0, grpcTwo = 0] = await freePorts(4);
    const configs = [
      { port: one, grpcPort: grpcOne },
      { port: two, grpcPort: grpcTwo },
    ];
    const servers = await Promise.all(configs.map((config) => TestServer.start(config)));
    const nginx = await Nginx.start({ http: [one, two], grpc: [grpcOne, grpcTwo] });
    const answers = new Map<string, number>();
    let isOver = false;
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (!isOver) {
        const response = await nginx.post("/generate", { inputs: "spell number: 7" });
        const answer = `${response.status} ${await response.text()}`;
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
      }
    });
    for (const [index, config] of configs.entries()) {
      assert.deepEqual(await servers[index]?.stop(), { code: 0, signal: null });
      const restarted = await TestServer.start(config);
      servers[index] = restarted;
      while ((await restarted.metric(ANSWERED)) === 0) await setTimeout(POLL_MS);
    }
    isOver = true;
    await Promise.all(clients);
    assert.deepEqual([...answers.keys()], ['200 {"generated_text":"seven"}']);
    await nginx.stop();
    for (const server of servers) assert.equal((await server.stop()).code, 0);
  });
});
