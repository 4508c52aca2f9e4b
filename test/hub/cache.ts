// What the tests of downloads share: a server, an empty cache, and an environment that leads to both.
import { after, afterEach, before, beforeEach } from "mocha";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { HubServer } from "./server.js";

/** The variables that could lead elsewhere. */
const VARIABLES = [
  ...["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ENDPOINT", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"],
  ...["HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_IMPLICIT_TOKEN"],
  ...["HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"],
  ...["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"],
];

export interface Hub {
  readonly server: HubServer;
  /** The folder of this test, which is deleted after it; HF_HOME. */
  readonly home: string;
  /** The cache in it. */
  readonly cache: string;
  /** The environment of a process that uses both. */
  readonly env: NodeJS.ProcessEnv;
}

/** Starts a server for a suite, and before each test sets the environment of this process. */
export function useHub(): () => Hub {
  const initial = { ...process.env };
  let server: HubServer | undefined;
  let hub: Hub | undefined;
  before(async () => {
    server = await HubServer.start();
  });
  beforeEach(() => {
    if (server === undefined) throw new Error("The server starts before the tests of its suite");
    server.reset();
    const home = mkdtempSync(join(tmpdir(), "torch-t5-hub-"));
    for (const name of VARIABLES) delete process.env[name];
    Object.assign(process.env, { HF_HOME: home, HF_ENDPOINT: server.endpoint });
    hub = { server, home, cache: join(home, "hub"), env: environment(server.endpoint, home) };
  });
  afterEach(() => {
    for (const name of VARIABLES) {
      const value = initial[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    if (hub !== undefined) rmSync(hub.home, { recursive: true, force: true });
  });
  after(() => server?.close());
  return () => {
    if (hub === undefined) throw new Error("The hub is ready in the tests of its suite");
    return hub;
  };
}

/** Empty variables count as unset. */
function environment(endpoint: string, home: string): NodeJS.ProcessEnv {
  const empty = Object.fromEntries(VARIABLES.map((name) => [name, ""]));
  return { ...empty, HF_HOME: home, HF_ENDPOINT: endpoint, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" };
}
