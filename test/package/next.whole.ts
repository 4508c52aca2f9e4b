// The recipe of docs/deploying.md for Next.js: the tests build a program with its settings.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeInstalledProject, npm, succeed, withLibtorch } from "../support/packed.js";
import { newerNode } from "../support/tools.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const fixture = fileURLToPath(new URL("fixtures/next", import.meta.url));
/** These tests alone install them, so set-up does not. */
const PACKAGES = ["next@16.4.6", "react@19.3.1", "react-dom@19.3.1"];

/** Two builds of Next.js on a slow machine. */
const TIMEOUT_MS = 900_000;

/** The settings of docs/deploying.md. */
function documentedConfig(): string {
  const text = readFileSync(join(root, "docs", "deploying.md"), "utf8");
  const [, config] = /^```js\n(const nextConfig =[\s\S]*?)^```$/m.exec(text) ?? [];
  assert.ok(config !== undefined);
  return config;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Starts the standalone server in `directory`, sends a request, and stops it. */
async function request(directory: string, path: string): Promise<{ status: number; body: string; log: string }> {
  const port = await freePort();
  const env = { ...process.env, ...withLibtorch(), PORT: String(port), HOSTNAME: "127.0.0.1" };
  const server = spawn(newerNode, ["server.js"], { cwd: directory, env, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const isReady = new Promise<void>((resolve, reject) => {
    const read = (data: Buffer) => {
      log += data;
      if (log.includes("Ready in")) resolve();
    };
    server.stdout.on("data", read);
    server.stderr.on("data", read);
    server.once("exit", (code) => reject(new Error(`The server ended with ${code}: ${log}`)));
  });
  const ended = once(server, "exit");
  try {
    await isReady;
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, body: await response.text(), log };
  } finally {
    server.kill("SIGKILL");
    await ended;
  }
}

describe("a program of Next.js", () => {
  const bundlers = [["Turbopack"], ["webpack", "--webpack"]] as const;
  for (const [bundler, ...flags] of bundlers) {
    it(`of ${bundler} with the settings of docs/deploying.md runs standalone, and without them runs or says what to set`, async () => {
      const project = mkdtempSync(join(tmpdir(), "torch-t5-test-"));
      const alone = mkdtempSync(join(tmpdir(), "torch-t5-test-"));
      try {
        await makeInstalledProject(project);
        await npm("npm-11", ["install", "--ignore-scripts", "--no-save", ...PACKAGES], project);
        cpSync(fixture, project, { recursive: true });
        const build = async (config: string) => {
          rmSync(join(project, ".next"), { recursive: true, force: true });
          rmSync(alone, { recursive: true, force: true });
          writeFileSync(join(project, "next.config.mjs"), config);
          const args = [join(project, "node_modules", "next", "dist", "bin", "next"), "build", ...flags];
          await succeed(newerNode, args, project, { ...withLibtorch(), NEXT_TELEMETRY_DISABLED: "1" });
          cpSync(join(project, ".next", "standalone"), alone, { recursive: true });
        };
        // The server runs where nothing is installed but what Next.js copied.
        await build(documentedConfig());
        const answer = await request(alone, "/spell?number=7");
        assert.deepEqual([answer.status, answer.body], [200, '["seven"]'], answer.log);

        // Without them webpack's program finds the package beside it, Turbopack's does not.
        await build('export default { output: "standalone" };\n');
        const { status, body, log } = await request(alone, "/spell?number=7");
        if (status === 200) assert.equal(body, '["seven"]');
        else assert.match(log, /Expected torch-t5 to be an installed package .* Next\.js: serverExternalPackages: /);
      } finally {
        rmSync(project, { recursive: true, force: true });
        rmSync(alone, { recursive: true, force: true });
      }
    }).timeout(TIMEOUT_MS);
  }
});
