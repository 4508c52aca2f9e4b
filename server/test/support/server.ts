// Servers in their own processes, as their users run them.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { after, before } from "mocha";

export const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** What a configuration file contains. */
export type Config = Readonly<Record<string, unknown>>;

/** A configuration of tests: free ports, one thread, few log lines. */
const BASE = {
  port: 0,
  grpcPort: 0,
  logLevel: "warn",
  models: [{ name: "demo", path: "demo", precision: "float32", device: "cpu", intraOpThreads: 1 }],
};

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server that runs. */
export class TestServer {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  readonly #directory: string;

  private constructor(config: Config, env: NodeJS.ProcessEnv, args: readonly string[]) {
    this.#directory = mkdtempSync(join(tmpdir(), "torch-t5-server-"));
    const file = join(this.#directory, "config.json");
    writeFileSync(file, JSON.stringify({ ...BASE, ...config }));
    this.child = spawn(process.execPath, [program, "--config", file, ...args], {
      env: { ...process.env, TORCH_T5_API_KEYS: "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      this.stdout += chunk;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
      this.stderr += chunk;
    });
    this.ended = once(this.child, "close").then(([code, signal]) => {
      rmSync(this.#directory, { recursive: true, force: true });
      return { code, signal };
    });
  }

  /** Starts a server. Resolves when it prints a line: "is ready", or "listens on" before its models are loaded. */
  static async start(
    config: Config = {},
    env: NodeJS.ProcessEnv = {},
    line = "is ready",
    args: readonly string[] = [],
  ): Promise<TestServer> {
    const server = new TestServer(config, env, args);
    const hasEnded = server.ended.then(({ code }) => {
      throw new Error(`The server ended with ${code}: ${server.stderr}`);
    });
    hasEnded.catch(() => {});
    while (!server.stderr.includes(line))
      await Promise.race([once(server.child.stderr ?? server.child, "data"), hasEnded]);
    return server;
  }

  /** "http://127.0.0.1:40123" */
  get url(): string {
    return /listens on (https?:\/\/[^\s,]+)/.exec(this.stderr)?.[1] ?? "";
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  get grpcPort(): number {
    return Number(/port (\d+) for gRPC/.exec(this.stderr)?.[1]);
  }

  /** Sends SIGTERM, and waits for the end. */
  stop(): Promise<Ended> {
    this.child.kill("SIGTERM");
    return this.ended;
  }

  /** A GET, or with a body a POST of JSON. */
  async fetch(path: string, body?: unknown, init: RequestInit = {}): Promise<Response> {
    const { headers, ...rest } = init;
    if (body === undefined) return fetch(`${this.url}${path}`, { headers: { ...headers }, ...rest });
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const type = { "content-type": "application/json" };
    return fetch(`${this.url}${path}`, { method: "POST", body: text, headers: { ...type, ...headers }, ...rest });
  }

  /** The JSON of an answer with the status 200. */
  async json<Answer>(path: string, body?: unknown, init?: RequestInit): Promise<Answer> {
    const response = await this.fetch(path, body, init);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path} answers ${response.status}: ${text}`);
    return JSON.parse(text) as Answer;
  }

  /** A number of /metrics by the beginning of its line: a name with labels. 0 before it is measured. */
  async metric(name: string): Promise<number> {
    const text = await (await this.fetch("/metrics")).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${name} `));
    return line === undefined ? 0 : Number(line.slice(name.length + 1));
  }
}

const shared = new Map<string, Promise<TestServer>>();

// All spec files of a folder run in one process, whose last hook this is.
after(async () => {
  for (const starting of shared.values()) {
    const { code } = await (await starting).stop();
    if (code !== 0) throw new Error(`The server ended with ${code}: ${(await starting).stderr}`);
  }
});

/** The server of a configuration, which all suites of a folder share. The returned function gives it. */
export function useServer(config: Config = {}): () => TestServer {
  let server: TestServer | undefined;
  before(async () => {
    const key = JSON.stringify(config);
    const starting = shared.get(key) ?? TestServer.start(config);
    shared.set(key, starting);
    server = await starting;
  });
  return () => {
    if (server === undefined) throw new Error("The server starts before the tests of its suite");
    return server;
  };
}
