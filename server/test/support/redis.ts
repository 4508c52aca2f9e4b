// A redis-server of its own, on a free port of the loopback, without files.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Redis } from "ioredis";
import { after, before } from "mocha";
import { freePorts } from "./ports.js";

export interface RedisServer {
  readonly url: string;
  readonly client: Redis;
}

/** Starts a server for a suite. The returned function gives it. */
export function useRedis(): () => RedisServer {
  let child: ChildProcess | undefined;
  let server: RedisServer | undefined;
  before(async () => {
    const [port = 0] = await freePorts(1);
    const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
    while (!output.includes("Ready to accept connections")) await once(child.stdout ?? child, "data");
    const url = `redis://127.0.0.1:${port}`;
    server = { url, client: new Redis(url) };
  });
  after(async () => {
    server?.client.disconnect();
    if (child === undefined) return;
    const ended = once(child, "close");
    child.kill("SIGTERM");
    await ended;
  });
  return () => {
    if (server === undefined) throw new Error("Redis starts before the tests of its suite");
    return server;
  };
}
