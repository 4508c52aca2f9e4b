// What the tests of downloads share: a server, an empty cache, and an environment that leads to both.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, afterEach, before, beforeEach } from "mocha";
import { checkHubOptions, type HubOptions } from "#lib/hub/options.js";
import { selectModel } from "#lib/hub/selection.js";
import { type HubSettings, readSettings } from "#lib/hub/settings.js";
import { locateSnapshot } from "#lib/hub/snapshot.js";
import { HubServer, type Repository, repositoryOf, sha256 } from "./server.js";

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
}

/**
 * Starts a server for a suite, and before each test sets the environment of this process, and of those that it starts.
 */
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
    hub = { server, home, cache: join(home, "hub") };
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

/** As `downloadModel`, with settings that the environment doesn't have: repetitions follow at once by default. */
export async function pull(
  name: string,
  options: HubOptions = {},
  settings: Partial<HubSettings> = {},
): Promise<string> {
  const all = { ...(await readSettings()), retryDelayMs: 1, ...settings };
  return locateSnapshot(name, checkHubOptions({ ...options }), selectModel, all);
}

/** A repository in the form of an export. Its archive is noise of this size. */
export function fakeExport(bytes = 3_000_000, refs = ["main"]): Repository {
  const archive = noise(bytes);
  const config = Buffer.from('{"model_type":"t5"}');
  const entry = (content: Buffer) => ({ bytes: content.length, sha256: sha256(content) });
  const manifest = JSON.stringify({ files: { "model.pt": entry(archive), "config.json": entry(config) } });
  return repositoryOf(
    { "README.md": "# A model", "manifest.json": manifest, "config.json": config, "model.pt": archive },
    refs,
  );
}

/** Bytes without a pattern, the same in each run. */
export function noise(bytes: number): Buffer {
  const content = Buffer.allocUnsafe(bytes);
  let state = 12345;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    content[at] = state >>> 24;
  }
  return content;
}
